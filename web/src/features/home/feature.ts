import { House } from "lucide-react";
import type { Feature } from "@/app/feature";

export const home: Feature = {
  routes: [{ index: true, lazy: () => import("./HomePage") }],
  nav: { to: "/", label: "Home", icon: House, key: "h" },
};
