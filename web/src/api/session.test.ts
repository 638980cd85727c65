import { beforeEach, expect, it, vi } from "vitest";
import { loadSession, session, sessionFetch, signIn } from "./session";

const calls: Request[] = [];
let answers: (() => Response)[] = [];

const info =
  (signedIn: boolean, csrfToken = "") =>
  () =>
    Response.json({ signedIn, csrfToken, key: "", expires: 1 });
const refused = (status: number) => () => Response.json({ message: "no" }, { status });

beforeEach(() => {
  calls.length = 0;
  answers = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    calls.push(input instanceof Request ? input : new Request(new URL(String(input), "http://here"), init));
    const next = answers.shift();
    if (!next) throw new TypeError("no answer");
    return next();
  });
});

it("sends what came too late for a session once more, after somebody has signed in again", async () => {
  answers = [info(true, "first")];
  await loadSession();
  answers = [refused(401)];
  const sent = sessionFetch("http://here/api/v1/connections", { method: "POST", body: "typed" });
  await vi.waitFor(() => expect(session.get()).toBe("expired"));
  answers = [info(true, "second"), () => Response.json({ id: "c" })];
  await signIn({ apiKey: "k" });
  expect(await (await sent).json()).toEqual({ id: "c" });
  const last = calls.at(-1);
  expect(last?.headers.get("X-CSRF-Token")).toBe("second");
  expect(await last?.text()).toBe("typed");
});

it("takes another tab's token when its own is refused", async () => {
  answers = [info(true, "old")];
  await loadSession();
  answers = [refused(403), info(true, "new"), () => Response.json({})];
  expect((await sessionFetch("http://here/x", { method: "DELETE" })).ok).toBe(true);
  expect(calls.at(-1)?.headers.get("X-CSRF-Token")).toBe("new");
});

it("does not send a refusal twice", async () => {
  answers = [info(true, "same")];
  await loadSession();
  answers = [refused(403), info(true, "same")];
  expect((await sessionFetch("http://here/x", { method: "DELETE" })).status).toBe(403);
});
