import { useSearchParams } from "react-router";

/** The address's settings, and a way to change one in place; an empty one is left out. */
export function useSearchSetting(): [URLSearchParams, (name: string, value: string) => void] {
  const [search, setSearch] = useSearchParams();
  const set = (name: string, value: string) =>
    setSearch(
      (before) => {
        const after = new URLSearchParams(before);
        if (value) after.set(name, value);
        else after.delete(name);
        return after;
      },
      { replace: true },
    );
  return [search, set];
}
