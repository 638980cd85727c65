import { createParser } from "eventsource-parser";
import { useEffect, useEffectEvent, useState } from "react";
import { problemOfResponse } from "./problem";
import { lostServer } from "./server";
import { sessionFetch } from "./session";

/** One event of a stream. */
export interface ServerEvent {
  /** `message` where the server gives no name. */
  name: string;
  data: string;
  id: string;
}

export type EventsState = "connecting" | "open" | "waiting" | "refused";

interface Options {
  onEvent: (event: ServerEvent) => void;
  onState?: (state: EventsState) => void;
}

const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 10_000;
/** Servers send a heartbeat every 15 seconds; without one the line is dead, whatever the socket says. */
const SILENCE_MS = 45_000;

/**
 * Server-sent events that come again by themselves: after a break the newest id goes to the server as Last-Event-ID,
 * with growing pauses between tries. An answer that refuses (4xx) ends it. Returns how to end it.
 */
export function openEvents(url: string, { onEvent, onState }: Options): () => void {
  const end = new AbortController();
  let last = "";
  const run = async () => {
    let wait = FIRST_WAIT_MS;
    while (!end.signal.aborted) {
      onState?.("connecting");
      try {
        await read(
          url,
          last,
          end.signal,
          () => onState?.("open"),
          (event) => {
            wait = FIRST_WAIT_MS;
            if (event.id) last = event.id;
            onEvent(event);
          },
        );
      } catch (error) {
        if (end.signal.aborted) return;
        if (error instanceof Refused) {
          onState?.("refused");
          return;
        }
      }
      if (end.signal.aborted) return;
      onState?.("waiting");
      await new Promise((done) => setTimeout(done, wait * (0.75 + Math.random() / 2)));
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  };
  void run();
  return () => end.abort();
}

class Refused extends Error {}

async function read(
  url: string,
  last: string,
  signal: AbortSignal,
  onOpen: () => void,
  onEvent: (event: ServerEvent) => void,
): Promise<void> {
  const headers = new Headers({ Accept: "text/event-stream" });
  if (last) headers.set("Last-Event-ID", last);
  const response = await sessionFetch(url, { headers, signal, cache: "no-store" });
  if (!response.ok || !response.body) {
    const problem = await problemOfResponse(response);
    if (response.status < 500) throw new Refused(problem.message);
    throw problem;
  }
  onOpen();
  const parser = createParser({
    onEvent: (event) => onEvent({ name: event.event ?? "message", data: event.data, id: event.id ?? "" }),
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let silence = setTimeout(() => reader.cancel(), SILENCE_MS);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      clearTimeout(silence);
      silence = setTimeout(() => reader.cancel(), SILENCE_MS);
      parser.feed(value);
    }
  } catch (error) {
    if (!signal.aborted) lostServer();
    throw error;
  } finally {
    clearTimeout(silence);
  }
}

/** The events of a URL for as long as the component is there; no URL, no events. */
export function useEvents(url: string | null, onEvent: (event: ServerEvent) => void): EventsState {
  const [state, setState] = useState<EventsState>("connecting");
  const hear = useEffectEvent(onEvent);
  useEffect(() => {
    if (url === null) return;
    return openEvents(url, { onEvent: (event) => hear(event), onState: setState });
  }, [url]);
  return state;
}
