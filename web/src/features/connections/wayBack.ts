/** Where a form leads when it is done: back to who asked for it, with the connection's id, or to the list. Pure. */
export function wayBack(asked: string | null, id: string): string {
  // A path of this very page: another host would begin with two slashes, or a slash and a backslash.
  if (!asked || !/^\/(?![/\\])/.test(asked)) return "/connections";
  const url = new URL(asked, "http://here");
  if (id) url.searchParams.set("connection", id);
  return url.pathname + url.search;
}
