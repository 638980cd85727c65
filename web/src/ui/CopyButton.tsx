import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { Button, IconButton } from "./Button";
import { notify } from "./toast";

const SHOWN_MS = 1500;

interface Props {
  /** The text, or what makes it when it is wanted. */
  text: string | (() => string);
  label?: string;
  /** With the label beside the icon. */
  wide?: boolean;
}

export function CopyButton({ text, label = "Copy", wide = false }: Props) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : text());
      setCopied(true);
    } catch {
      notify.error("The browser does not let this page copy; select the text and press Ctrl+C");
    }
  };
  const icon = copied ? <Check /> : <Copy />;
  const said = copied ? "Copied" : label;
  return wide ? (
    <Button small icon={icon} onClick={copy}>
      {said}
    </Button>
  ) : (
    <IconButton small label={said} onClick={copy}>
      {icon}
    </IconButton>
  );
}
