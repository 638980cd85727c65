/** Bytes as people read and type them: hex digits in groups. Pure. */

const GROUP_BYTES = 4;
const LINE_BYTES = 16;

/** `00010203 04050607 …`, sixteen bytes a line. */
export function hexText(data: Uint8Array): string {
  let text = "";
  for (const [index, byte] of data.entries()) {
    if (index > 0) text += index % LINE_BYTES === 0 ? "\n" : index % GROUP_BYTES === 0 ? " " : "";
    text += byte.toString(16).padStart(2, "0");
  }
  return text;
}

/** The bytes of hex digits, after `0x` or `\x` or nothing, with blanks wherever one likes; or what is wrong with them. */
export function readHex(text: string, most: number): { bytes: Uint8Array } | { problem: string } {
  const digits = text.replace(/^\s*(?:0[xX]|\\[xX])/, "").replace(/\s/g, "");
  const wrong = /[^0-9a-fA-F]/.exec(digits);
  if (wrong) return { problem: `${JSON.stringify(wrong[0])} is no hex digit: bytes are typed as 0x00ff` };
  if (digits.length % 2 === 1) return { problem: "the last byte has only one digit: each has two" };
  if (digits.length / 2 > most) return { problem: `more than ${most} bytes: choose a file instead` };
  return {
    bytes: Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
      Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16),
    ),
  };
}

const AT_ONCE = 0x8000; // arguments of one call

export function base64Of(data: Uint8Array): string {
  let text = "";
  for (let start = 0; start < data.length; start += AT_ONCE)
    text += String.fromCharCode(...data.subarray(start, start + AT_ONCE));
  return btoa(text);
}
