import { useQuery } from "@tanstack/react-query";
import { Command } from "cmdk";
import { Dialog as Radix } from "radix-ui";
import { useNavigate } from "react-router";
import { problemOf } from "@/api/problem";
import { queries } from "@/api/queries";
import { signOut } from "@/api/session";
import { notify } from "@/ui/toast";
import { features } from "./features";
import styles from "./Palette.module.css";
import { chooseTheme, THEMES } from "./theme";

interface Props {
  onClose: () => void;
  onHelp: () => void;
}

/** Search over pages, commands, connections, configs and streams. */
export default function Palette({ onClose, onHelp }: Props) {
  const navigate = useNavigate();
  const connections = useQuery(queries.connections());
  const streams = useQuery(queries.streams());
  const run = (action: () => void) => () => {
    onClose();
    action();
  };
  const go = (to: string) => run(() => void navigate(to));
  return (
    <Radix.Root open onOpenChange={(open) => !open && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className={styles.overlay} />
        <Radix.Content className={styles.content} aria-describedby={undefined}>
          <Radix.Title className="visually-hidden">Search and commands</Radix.Title>
          <Command label="Search and commands" loop>
            <Command.Input placeholder="Search pages, connections, streams …" className={styles.input} />
            <Command.List className={styles.list}>
              <Command.Empty className={styles.empty}>Nothing by that name</Command.Empty>
              <Command.Group heading="Go to">
                {features.map(
                  ({ nav }) =>
                    nav && (
                      <Command.Item key={nav.to} value={`page ${nav.label}`} onSelect={go(nav.to)}>
                        <nav.icon aria-hidden="true" />
                        <span>{nav.label}</span>
                        <kbd>g {nav.key}</kbd>
                      </Command.Item>
                    ),
                )}
              </Command.Group>
              <Command.Group heading="Do">
                {features
                  .flatMap((feature) => feature.commands ?? [])
                  .map((command) => (
                    <Command.Item
                      key={command.id}
                      value={`do ${command.label}`}
                      keywords={command.keywords?.split(" ") ?? []}
                      onSelect={go(command.to)}
                    >
                      <span>{command.label}</span>
                    </Command.Item>
                  ))}
                {THEMES.map((theme) => (
                  <Command.Item key={theme} value={`theme ${theme}`} onSelect={run(() => chooseTheme(theme))}>
                    <span>Theme: {theme}</span>
                  </Command.Item>
                ))}
                <Command.Item value="keyboard shortcuts" onSelect={run(onHelp)}>
                  <span>Keyboard shortcuts</span>
                  <kbd>?</kbd>
                </Command.Item>
                <Command.Item
                  value="sign out"
                  onSelect={run(() => void signOut().catch((error) => notify.error(problemOf(error).message)))}
                >
                  <span>Sign out</span>
                </Command.Item>
              </Command.Group>
              <Command.Group heading="Connections">
                {connections.data?.map((item) => (
                  <Command.Item
                    key={item.id}
                    value={`connection ${item.name} ${item.id}`}
                    keywords={[item.host, item.type, item.database]}
                    onSelect={go(`/connections/${item.id}`)}
                  >
                    <span>{item.name}</span>
                    <small>
                      {item.type} {item.host}
                    </small>
                  </Command.Item>
                ))}
              </Command.Group>
              <Command.Group heading="Streams">
                {streams.data?.map((item) => (
                  <Command.Item
                    key={item.id}
                    value={`stream ${item.name} ${item.id}`}
                    keywords={[item.mode, item.status]}
                    onSelect={go(`/streams/${item.id}`)}
                  >
                    <span>{item.name}</span>
                    <small>
                      {item.mode} {item.status.toLowerCase()}
                    </small>
                  </Command.Item>
                ))}
              </Command.Group>
            </Command.List>
          </Command>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
