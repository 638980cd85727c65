import { Waves } from "lucide-react";
import type { Feature } from "@/app/feature";

export const monitor: Feature = {
  routes: [
    { path: "streams", lazy: () => import("./StreamsPage") },
    { path: "streams/:streamId", lazy: () => import("./MonitorPage") },
    { path: "configs/:configId/history", lazy: () => import("./HistoryPage") },
  ],
  nav: { to: "/streams", label: "Streams", icon: Waves, key: "s" },
};
