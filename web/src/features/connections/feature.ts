import { Plug } from "lucide-react";
import type { Feature } from "@/app/feature";

export const connections: Feature = {
  routes: [
    { path: "connections", lazy: () => import("./ConnectionsPage") },
    { path: "connections/new", lazy: () => import("./ConnectionPage") },
    { path: "connections/:connectionId", lazy: () => import("./ConnectionPage") },
  ],
  commands: [{ id: "new-connection", label: "New connection", keywords: "database add", to: "/connections/new" }],
  nav: { to: "/connections", label: "Connections", icon: Plug, key: "c" },
};
