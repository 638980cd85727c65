/** The page's own nonce, for libraries that make <style> elements while they run; the server's policy asks for it. */
export function cspNonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";
}
