import { describe, expect, it } from "vitest";
import { bytes, count, duration, plural, rate } from "./numbers";

describe("numbers", () => {
  it.each([
    [0, "0 B"],
    [1023, "1,023 B"],
    [1024, "1.0 KiB"],
    [2.5 * 1024 ** 3, "2.5 GiB"],
  ])("%d bytes are %s", (value, text) => expect(bytes(value)).toBe(text));

  it.each([
    [0.04, "0.0 s"],
    [9.96, "10.0 s"],
    [61, "1 min 1 s"],
    [3600, "1 h"],
    [7800, "2 h 10 min"],
    [90_061, "1 d 1 h"],
  ])("%d seconds are %s", (value, text) => expect(duration(value)).toBe(text));

  it("has separators, and one is one", () => {
    expect(count(1_234_567)).toBe("1,234,567");
    expect(plural(1, "table")).toBe("1 table");
    expect(plural(1200, "entry", "entries")).toBe("1,200 entries");
    expect(rate(0.5, "rows")).toBe("0.5 rows/s");
  });
});
