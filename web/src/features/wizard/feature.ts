import type { Feature } from "@/app/feature";

export const wizard: Feature = {
  routes: [{ path: "streams/new", lazy: () => import("./WizardPage") }],
  commands: [{ id: "new-stream", label: "New stream", keywords: "migrate copy replicate wizard", to: "/streams/new" }],
};
