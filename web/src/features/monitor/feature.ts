import { Waves } from "lucide-react";
import type { Feature } from "@/app/feature";

export const monitor: Feature = {
  routes: [
    { path: "streams", lazy: () => import("./StreamsPage") },
    { path: "streams/:streamId", lazy: () => import("./MonitorPage") },
    { path: "configs/:configId/history", lazy: () => import("./HistoryPage") },
  ],
  nav: { to: "/streams", label: "Streams", icon: Waves, key: "s" },
  commands: [
    {
      id: "streams.attention",
      label: "Streams that need attention",
      keywords: "failed error alert problem",
      to: "/streams?state=attention",
    },
    {
      id: "streams.active",
      label: "Streams that run or are paused",
      keywords: "running active",
      to: "/streams?state=active",
    },
  ],
};
