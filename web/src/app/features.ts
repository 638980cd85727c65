import { connections } from "@/features/connections/feature";
import { sqlConsole } from "@/features/console/feature";
import { explorer } from "@/features/explorer/feature";
import { home } from "@/features/home/feature";
import { monitor } from "@/features/monitor/feature";
import { settings } from "@/features/settings/feature";
import { wizard } from "@/features/wizard/feature";
import type { Feature } from "./feature";

/** All features, in the order of the sidebar. */
export const features: readonly Feature[] = [home, connections, monitor, wizard, explorer, sqlConsole, settings];
