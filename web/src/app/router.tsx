import { createBrowserRouter } from "react-router";
import { RouteError } from "./errors";
import { features } from "./features";
import { Layout } from "./Layout";

export const router = createBrowserRouter([
  { path: "/signin", lazy: () => import("./SignInPage"), HydrateFallback: () => null },
  {
    path: "/",
    Component: Layout,
    ErrorBoundary: RouteError,
    HydrateFallback: () => null,
    children: [
      {
        // An error of a page leaves the sidebar in place.
        ErrorBoundary: RouteError,
        children: [
          ...features.flatMap((feature) => feature.routes),
          { path: "*", lazy: () => import("./NotFoundPage") },
        ],
      },
    ],
  },
]);
