import "@fontsource-variable/inter/wght.css";
import "@fontsource-variable/jetbrains-mono/wght.css";
import "@/ui/tokens.css";
import "@/ui/base.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router/dom";
import { queryClient } from "@/api/queries";
import { watchServer } from "@/api/server";
import { ConfirmProvider } from "@/ui/Confirm";
import { Toasts } from "@/ui/Toasts";
import { TooltipProvider } from "@/ui/Tooltip";
import { cspNonce } from "./nonce";
import { router } from "./router";
import { start } from "./start";

setNonce(cspNonce());
watchServer();
start();

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <TooltipProvider>
          <ConfirmProvider>
            <RouterProvider router={router} />
            <Toasts />
          </ConfirmProvider>
        </TooltipProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
}
