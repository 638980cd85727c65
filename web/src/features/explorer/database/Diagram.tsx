import "@xyflow/react/dist/base.css";
import { useQuery } from "@tanstack/react-query";
import {
  Background,
  Controls,
  type Edge,
  Handle,
  MiniMap,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useNodesState,
  useReactFlow,
} from "@xyflow/react";
import { Download, Key, Link2 } from "lucide-react";
import { memo, useDeferredValue, useMemo, useState } from "react";
import { useNavigate } from "react-router";
import type { Schemas } from "@/api/client";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Input, Select } from "@/ui/Field";
import { plural } from "@/ui/numbers";
import { EmptyState, ErrorState, Skeleton } from "@/ui/States";
import { notify } from "@/ui/toast";
import { pathOf } from "../place";
import { explorerQueries } from "../queries";
import styles from "./Diagram.module.css";
import {
  type Diagram as DiagramData,
  type DiagramTable,
  diagramOf,
  HEAD,
  heightOf,
  LINE,
  toSvg,
  WIDTH,
} from "./diagram";
import { placed } from "./layout";

interface Props {
  connectionId: string;
  database: string;
}

type TableNode = Node<{ table: DiagramTable; faded: boolean }, "table">;
const MAPPED = 15; // tables, from which on one can get lost
const MOST_PIXELS = 16_000_000;

/** Tables and how they refer to each other. */
export default function Diagram({ connectionId, database }: Props) {
  const meta = useQuery(explorerQueries.meta(connectionId, database));
  const [schema, setSchema] = useState("");
  if (meta.error)
    return <ErrorState error={meta.error} title="The structure could not be read" retry={() => meta.refetch()} />;
  if (!meta.data) return <Skeleton height="60dvh" />;
  return (
    <ReactFlowProvider>
      <Canvas
        key={schema}
        meta={meta.data}
        schema={schema}
        onSchema={setSchema}
        connectionId={connectionId}
        database={database}
      />
    </ReactFlowProvider>
  );
}

interface CanvasProps extends Props {
  meta: Schemas["DatabaseMeta"];
  schema: string;
  onSchema: (schema: string) => void;
}

function Canvas({ meta, schema, onSchema, connectionId, database }: CanvasProps) {
  const navigate = useNavigate();
  const flow = useReactFlow<TableNode>();
  const [search, setSearch] = useState("");
  const wanted = useDeferredValue(search.trim().toLowerCase());
  const diagram = useMemo(() => ofSchema(diagramOf(meta), schema), [meta, schema]);
  const start = useMemo(() => nodesOf(diagram), [diagram]);
  const [nodes, , onNodesChange] = useNodesState(start);
  const shown = useMemo(
    () =>
      nodes.map((node) => {
        const faded = wanted !== "" && !node.data.table.name.toLowerCase().includes(wanted);
        return faded === node.data.faded ? node : { ...node, data: { ...node.data, faded } };
      }),
    [nodes, wanted],
  );
  const edges = useMemo(
    () =>
      diagram.links.map(
        (link): Edge => ({ id: link.id, source: link.from, target: link.to, ariaLabel: link.label, focusable: false }),
      ),
    [diagram],
  );
  if (diagram.tables.length === 0) return <EmptyState title="There are no tables here" />;
  const picture = () =>
    toSvg(
      diagram,
      new Map(flow.getNodes().map((node) => [node.id, node.position])),
      coloursOf(document.documentElement),
    );
  return (
    <div className={styles.diagram}>
      <div className={styles.tools}>
        <Input
          type="search"
          aria-label="Find a table"
          placeholder="Find a table"
          value={search}
          onChange={(event) => {
            setSearch(event.target.value);
            const found = nodes.filter(({ data }) =>
              data.table.name.toLowerCase().includes(event.target.value.trim().toLowerCase()),
            );
            if (found.length > 0) void flow.fitView({ nodes: found, duration: 200, maxZoom: 1 });
          }}
        />
        {meta.schemas.length > 1 && (
          <Select
            aria-label="Schema"
            value={schema}
            choices={[
              { value: "", label: "All schemas" },
              ...meta.schemas.map((name) => ({ value: name, label: name })),
            ]}
            onValue={onSchema}
          />
        )}
        <span className={styles.count}>
          {plural(diagram.tables.length, "table")}, {plural(diagram.links.length, "foreign key")}
        </span>
        <Button
          small
          icon={<Download />}
          onClick={() => save(new Blob([picture()], { type: "image/svg+xml" }), `${database}.svg`)}
        >
          SVG
        </Button>
        <Button small icon={<Download />} onClick={() => void savePng(picture(), `${database}.png`)}>
          PNG
        </Button>
      </div>
      <div className={styles.canvas} role="application" aria-label={`Diagram of ${database}`}>
        <ReactFlow
          nodes={shown}
          edges={edges}
          nodeTypes={NODE_TYPES}
          onNodesChange={onNodesChange}
          onNodeDoubleClick={(_, node) =>
            void navigate(
              pathOf({
                connectionId,
                database,
                kind: "table",
                schema: node.data.table.schema,
                name: node.data.table.name,
              }),
            )
          }
          fitView
          minZoom={0.02}
          onlyRenderVisibleElements
          nodesConnectable={false}
          deleteKeyCode={null}
          proOptions={{ hideAttribution: true }}
        >
          <Background gap={24} />
          <Controls showInteractive={false} />
          {diagram.tables.length > MAPPED && <MiniMap pannable zoomable className={styles.map} />}
        </ReactFlow>
      </div>
    </div>
  );
}

function ofSchema(diagram: DiagramData, schema: string): DiagramData {
  if (!schema) return diagram;
  const tables = diagram.tables.filter((table) => table.schema === schema);
  const ids = new Set(tables.map((table) => table.id));
  return { tables, links: diagram.links.filter((link) => ids.has(link.from) && ids.has(link.to)) };
}

function nodesOf(diagram: DiagramData): TableNode[] {
  const places = placed(diagram);
  return diagram.tables.map((table) => ({
    id: table.id,
    type: "table",
    position: places.get(table.id) ?? { x: 0, y: 0 },
    data: { table, faded: false },
    width: WIDTH,
    height: heightOf(table),
    ariaLabel: `Table ${table.name}`,
  }));
}

const TableBox = memo(function TableBox({ data: { table, faded } }: NodeProps<TableNode>) {
  return (
    <div className={cx(styles.table, faded && styles.faded)} style={{ width: WIDTH }}>
      <Handle type="target" position={Position.Left} isConnectable={false} className={styles.handle} />
      <Handle type="source" position={Position.Right} isConnectable={false} className={styles.handle} />
      <div className={styles.name} style={{ height: HEAD }} title={table.name}>
        {table.name}
      </div>
      {table.columns.map((column) => (
        <div key={column.name} className={styles.column} style={{ height: LINE }}>
          <span className={cx(styles.label, column.primary && styles.primary)}>
            {column.primary && <Key size={11} aria-label="primary key" />}
            {column.foreign && <Link2 size={11} aria-label="foreign key" />}
            {column.name}
          </span>
          <span className={styles.type}>{column.type}</span>
        </div>
      ))}
      {table.more > 0 && (
        <div className={styles.column} style={{ height: LINE }}>
          <span className={styles.type}>{plural(table.more, "more column", "more columns")}</span>
        </div>
      )}
    </div>
  );
});

const NODE_TYPES = { table: TableBox };

/** The theme's colours as they are now: a file has no theme. */
function coloursOf(element: HTMLElement) {
  const probe = document.createElement("span");
  element.append(probe);
  const colour = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    ground: colour("--bg"),
    raised: colour("--bg-raised"),
    sunken: colour("--bg-sunken"),
    border: colour("--border-strong"),
    text: colour("--text"),
    muted: colour("--text-muted"),
    accent: colour("--accent"),
  };
  probe.remove();
  return found;
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function savePng(svg: string, name: string): Promise<void> {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    await image.decode();
    const scale = Math.min(2, Math.sqrt(MOST_PIXELS / (image.width * image.height)));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(image.width * scale);
    canvas.height = Math.round(image.height * scale);
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
    if (blob) save(blob, name);
    else notify.error("The picture is too large for this browser; save it as SVG");
  } finally {
    URL.revokeObjectURL(image.src);
  }
}
