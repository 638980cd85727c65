import { session } from "@/api/session";
import { useStore } from "@/api/store";
import { Dialog } from "@/ui/Dialog";
import { SignInForm } from "./SignInForm";

/** Over a page whose session has expired. The page stays as it is, and what it was sending goes out afterwards. */
export function SignInDialog() {
  const expired = useStore(session) === "expired";
  return (
    <Dialog
      open={expired}
      onOpenChange={() => {}}
      stays
      size="s"
      title="Your session has ended"
      description="Sign in again to go on where you were; nothing that you typed is lost."
    >
      <SignInForm />
    </Dialog>
  );
}
