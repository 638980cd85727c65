/** The options of a config, as the wizard asks for them. What is at its default is left out of the config. */

import { type Config, type Mode, mode, set, TARGET } from "./config";
import { at, type Json, type Path } from "./json";

export interface OptionChoice {
  value: string;
  label: string;
}

interface Base {
  path: Path;
  label: string;
  help: string;
  modes: readonly Mode[];
}

export type Option =
  | (Base & { kind: "choice"; choices: readonly OptionChoice[]; standard: Readonly<Record<Mode, string>> })
  | (Base & { kind: "number"; unit: string; standard: number; least: number })
  | (Base & { kind: "text"; placeholder: string })
  | (Base & { kind: "flag"; standard: boolean });

export interface OptionGroup {
  id: string;
  title: string;
  /** Shown without being asked for. */
  open: boolean;
  options: readonly Option[];
}

const BOTH: readonly Mode[] = ["convert", "cdc"];
const CONVERT: readonly Mode[] = ["convert"];
const CDC: readonly Mode[] = ["cdc"];

function choice(
  path: Path,
  label: string,
  help: string,
  modes: readonly Mode[],
  choices: Readonly<Record<string, string>>,
  standard: string | Readonly<Record<Mode, string>> = Object.keys(choices)[0] ?? "",
): Option {
  return {
    kind: "choice",
    path,
    label,
    help,
    modes,
    choices: Object.entries(choices).map(([value, text]) => ({ value, label: text })),
    standard: typeof standard === "string" ? { convert: standard, cdc: standard } : standard,
  };
}

function number(
  path: Path,
  label: string,
  help: string,
  modes: readonly Mode[],
  unit: string,
  standard: number,
  least = 0,
): Option {
  return { kind: "number", path, label, help, modes, unit, standard, least };
}

function line(path: Path, label: string, help: string, modes: readonly Mode[], placeholder = ""): Option {
  return { kind: "text", path, label, help, modes, placeholder };
}

function flag(path: Path, label: string, help: string, modes: readonly Mode[], standard: boolean): Option {
  return { kind: "flag", path, label, help, modes, standard };
}

const STRUCTURE: Path = [...TARGET, "structureOptions"];

export const GROUPS: readonly OptionGroup[] = [
  {
    id: "target",
    title: "What the target has already",
    open: true,
    options: [
      choice(
        [...TARGET, "schemaPolicy"],
        "Tables of the same name",
        "What happens to tables that are there before the first row comes.",
        BOTH,
        {
          fail_if_exists: "Stop: the target must not have them",
          create_missing_only: "Keep them, make the ones that are missing",
          validate_existing: "Make none: all must be there and fit",
          drop_and_recreate: "Drop them and make them anew",
        },
        { convert: "fail_if_exists", cdc: "create_missing_only" },
      ),
      choice([...TARGET, "writeMode"], "Rows in them", "What happens to rows that are there.", CONVERT, {
        fail_if_not_empty: "Stop: tables must be empty",
        append: "Keep them and add",
        truncate_and_load: "Remove them first",
        upsert: "Overwrite rows of the same primary key",
      }),
    ],
  },
  {
    id: "changes",
    title: "Changes",
    open: true,
    options: [
      choice(["snapshot"], "First copy", "Which tables are copied before changes are followed.", CDC, {
        auto: "Tables that the target lacks, or has without rows",
        always: "Every table",
        never: "None: follow changes from now on",
      }),
      choice(
        ["onChangeError"],
        "A change that the target refuses",
        "Changes put aside are kept as dead letters and can be replayed.",
        CDC,
        { stop_table: "Stops its table", quarantine: "Is put aside", stop_stream: "Stops the stream" },
      ),
      choice(["schemaChanges"], "Columns that change", "Renames and types that lose values always pause.", CDC, {
        apply: "Carry over what is safe, pause the table at the rest",
        pause: "Pause the table",
        ignore: "Go on with the columns that there were",
      }),
      line(
        ["softDelete"],
        "Keep deleted rows",
        "A column of the target that is set to the time of a DELETE; empty deletes rows.",
        CDC,
        "deleted_at",
      ),
      number(
        ["partitions"],
        "Parts applied at once",
        "1 to 16. Tables that no foreign key binds are applied side by side. More than 1 gives up whole transactions: " +
          "one that spans several parts becomes visible in the target part by part.",
        CDC,
        "",
        1,
        1,
      ),
    ],
  },
  {
    id: "rows",
    title: "Rows that do not fit",
    open: false,
    options: [
      choice(["rowErrors", "policy"], "A row that the target cannot hold", "While tables are copied.", BOTH, {
        fail: "Fails the run",
        quarantine: "Is put aside and counted",
      }),
      number(["rowErrors", "limit"], "At most put aside", "More than that fails the run.", BOTH, "rows", 1000),
      choice(["zeroDates"], "Dates such as 0000-00-00", "MySQL has them, PostgreSQL does not.", BOTH, {
        error: "Are an error",
        null: "Become NULL",
        epoch: "Become 1970-01-01",
      }),
      choice(["nulText"], "NUL characters in text", "PostgreSQL cannot hold them.", BOTH, {
        error: "Are an error",
        strip: "Are left out",
        replace: "Become U+FFFD",
      }),
      choice(["specialValues"], "NaN, infinities, years past 9999", "Where the target has no such value.", BOTH, {
        error: "Are an error",
        null: "Become NULL",
      }),
      choice(["denied"], "Tables that the login may not read", "", BOTH, {
        fail: "Fail the run",
        skip: "Are skipped and reported",
      }),
    ],
  },
  {
    id: "structure",
    title: "What is made of the structure",
    open: false,
    options: [
      flag([...TARGET, "skipData"], "Structure only, without rows", "", CONVERT, false),
      flag([...STRUCTURE, "tables"], "Tables", "", BOTH, true),
      flag([...STRUCTURE, "indexes"], "Indexes", "Primary keys are always made.", BOTH, true),
      flag([...STRUCTURE, "foreignKeys"], "Foreign keys", "", BOTH, true),
      flag([...STRUCTURE, "checkConstraints"], "Check constraints", "", BOTH, true),
      flag([...STRUCTURE, "views"], "Views", "", BOTH, true),
    ],
  },
  {
    id: "log",
    title: "The source's log",
    open: false,
    options: [
      line(
        ["source", "options", "replicationSlot"],
        "Replication slot",
        "PostgreSQL; empty makes one of its own.",
        CDC,
      ),
      line(["source", "options", "publicationName"], "Publication", "PostgreSQL; empty makes one of its own.", CDC),
      number(["serverId"], "Server id", "MySQL; 0 takes one of its own.", CDC, "", 0),
      line(
        ["position"],
        "Begin at",
        "16/B374D848, binlog.000002:154 or a GTID set. Nothing is copied then.",
        CDC,
        "now",
      ),
    ],
  },
  {
    id: "alerts",
    title: "Alerts",
    open: false,
    options: [
      number(["maxLagSeconds"], "Alert when behind by", "0 is never.", CDC, "seconds", 300),
      number(["maxSilenceSeconds"], "Alert when nothing moves for", "0 is never.", CDC, "seconds", 300),
      line(["alertUrl"], "Webhook", "Alerts are posted there as JSON.", CDC, "https://"),
    ],
  },
  {
    id: "speed",
    title: "Speed and limits",
    open: false,
    options: [
      number(["jobs"], "Connections to each side", "More is faster until a server is busy.", BOTH, "", 2, 1),
      number(["memoryMb"], "Memory for rows on their way", "", BOTH, "MiB", 32, 1),
      number(["limits", "numberOfEvents"], "End after", "0 is no limit.", BOTH, "rows", 0),
      number(["limits", "elapsedTime"], "End after", "0 is no limit.", BOTH, "seconds", 0),
    ],
  },
];

/** What an option stands at, as its control shows it. */
export function optionValue(config: Config, option: Option): string | boolean {
  const value = at(config, option.path);
  if (option.kind === "flag") return typeof value === "boolean" ? value : option.standard;
  if (value !== undefined && value !== null) return String(value);
  if (option.kind === "choice") return option.standard[mode(config)];
  return option.kind === "number" ? String(option.standard) : "";
}

export function withOption(config: Config, option: Option, value: string | boolean): Config {
  return set(config, option.path, stored(config, option, value));
}

function stored(config: Config, option: Option, value: string | boolean): Json | undefined {
  if (option.kind === "flag") return value === option.standard ? undefined : value;
  if (option.kind === "choice") return value === option.standard[mode(config)] ? undefined : value;
  if (option.kind === "text") return String(value).trim() ? value : undefined;
  const parsed = Number(value);
  if (value === "" || parsed === option.standard) return undefined;
  return Number.isFinite(parsed) ? parsed : value; // the server says what is wrong with it
}

/** Labels of the numbers that are none, or less than they may be. */
export function wrongNumbers(config: Config): string[] {
  return GROUPS.flatMap((group) => group.options).flatMap((option) => {
    if (option.kind !== "number" || !option.modes.includes(mode(config))) return [];
    const value = Number(at(config, option.path) ?? option.standard);
    return Number.isInteger(value) && value >= option.least ? [] : [option.label];
  });
}

/** Another mode, without the options that it does not have. */
export function withMode(config: Config, next: Mode): Config {
  const foreign = GROUPS.flatMap((group) => group.options).filter((option) => !option.modes.includes(next));
  const cleared = foreign.reduce<Config>((found, option) => set(found, option.path, undefined), config);
  const plain = next === "cdc" ? set(cleared, ["where"], undefined) : withoutOperations(cleared);
  return set(plain, ["mode"], next);
}

function withoutOperations(config: Config): Config {
  return set(config, ["source", "options", "operations"], undefined);
}

/** How many options of a group are not at their default. */
export function changedIn(config: Config, group: OptionGroup): number {
  return group.options.filter((option) => option.modes.includes(mode(config)) && at(config, option.path) !== undefined)
    .length;
}
