/** Places in a text: the API counts characters (code points), the editor UTF-16 units. */

/** The UTF-16 offset of a number of characters. */
export function unitsOf(text: string, characters: number): number {
  let units = 0;
  for (let left = characters; left > 0 && units < text.length; left -= 1) {
    units += (text.codePointAt(units) ?? 0) > 0xffff ? 2 : 1;
  }
  return units;
}

/** From a place to the end of the word that is there; at least one unit, if the text has one. */
export function wordAt(text: string, at: number): { from: number; to: number } {
  const from = Math.min(at, Math.max(0, text.length - 1));
  const word = /^[\p{L}\p{N}_$."`]+/u.exec(text.slice(from, from + 200));
  return { from, to: Math.min(text.length, from + (word?.[0].length ?? 1)) };
}

interface Placed {
  start: number;
  end: number;
}

/** The statement that the cursor is in, or behind; else the first. Places in UTF-16 units. */
export function statementAt<T extends Placed>(statements: readonly T[], cursor: number): T | undefined {
  return statements.findLast((one) => one.start <= cursor) ?? statements[0];
}
