import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { MemoryRouter } from "react-router";
import { expect, it } from "vitest";
import type { Schemas } from "@/api/client";
import { TooltipProvider } from "@/ui/Tooltip";
import { Processes } from "./Processes";

const member = (id: string, more: Partial<Schemas["Member"]>): Schemas["Member"] => ({
  ...{ id, roles: ["writer"], host: "db-7", pid: 7, version: "1", address: "", streams: [], answers: false },
  ...{ started: "2026-01-02T03:04:05Z", seen: "2026-01-02T03:04:05Z" },
  ...more,
});

it("tells by keyboard which processes there are, and what each of them leads", async () => {
  const members = [
    member("a", { streams: ["s1", "s2"] }),
    member("b", { host: "db-8", roles: ["api"], answers: true }),
  ];
  render(
    <MemoryRouter>
      <TooltipProvider>
        <Processes members={members} names={new Map([["s1", "Nightly"]])} />
      </TooltipProvider>
    </MemoryRouter>,
  );
  const user = userEvent.setup();
  await user.tab();
  await user.keyboard("{Enter}");
  expect(screen.getByRole("dialog", { name: "Processes of this installation" })).toBeVisible();
  expect(screen.getByRole("link", { name: "Nightly" })).toHaveAttribute("href", "/streams/s1");
  expect(screen.getByRole("link", { name: "s2" })).toBeVisible();
  expect(screen.getByRole("row", { name: /db-8.*answers this page.*api.*no stream/ })).toBeVisible();
  await user.keyboard("{Escape}");
  await waitFor(() => expect(screen.getByRole("button", { name: "Show 2 processes" })).toHaveFocus());
});
