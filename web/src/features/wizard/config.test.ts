import { describe, expect, it } from "vitest";
import { isCarried, withColumn } from "./columns";
import {
  type Config,
  choose,
  EMPTY,
  mode,
  names,
  pairs,
  place,
  setPair,
  setPlace,
  setTableMember,
  tableNames,
  wishes,
} from "./config";
import { at, pathName, put } from "./json";
import { changedIn, GROUPS, optionValue, withMode, withOption, wrongNumbers } from "./options";
import { missing } from "./order";
import { matcher } from "./patterns";
import { body } from "./queries";
import { isChosen, missingNames, type Size, toggled, withAll } from "./selection";
import { opened } from "./shapes";

const ODD = "<img src=x>";

function size(name: string): Size {
  return { name, table: name, schema: "shop", rows: 1, bytes: 1, indexBytes: 0, columns: 2, keyed: true };
}

function option(path: string) {
  const found = GROUPS.flatMap((group) => group.options).find((one) => pathName(one.path) === path);
  if (!found) throw new Error(path);
  return found;
}

describe("JSON by path", () => {
  it("is changed without touching what was there", () => {
    const before = { a: { b: [1, 2] } };
    const after = put(before, ["a", "b", 1], 3);
    expect([before, after]).toEqual([{ a: { b: [1, 2] } }, { a: { b: [1, 3] } }]);
  });

  it("loses objects that become empty, and nothing else", () => {
    expect(put({ a: { b: { c: 1 } }, d: 1 }, ["a", "b", "c"], undefined)).toEqual({ d: 1 });
  });

  it("takes __proto__ for a name like any other", () => {
    const made = put({}, ["where", "__proto__"], "x > 1");
    expect(JSON.stringify(made)).toBe('{"where":{"__proto__":"x > 1"}}');
    expect(at(made, ["where", "__proto__"])).toBe("x > 1");
    expect(at({}, ["__proto__", "toString"])).toBeUndefined();
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });
});

describe("a config", () => {
  it("keeps a table's wishes by its name", () => {
    let config: Config = choose(EMPTY, [ODD, "__proto__"]);
    config = setPair(config, "renames", `${ODD}.__proto__`, "safe");
    config = setPair(config, "where", "__proto__", "a = 1");
    config = setTableMember(config, "__proto__", "operations", ["insert"]);
    config = withColumn(config, ODD, ODD, "b", false);
    expect(tableNames(config)).toEqual([ODD, "__proto__"]);
    expect(pairs(config, "renames").get(`${ODD}.__proto__`)).toBe("safe");
    expect(wishes(config, ODD)).toEqual({ target: "", where: "", columns: 1 });
    expect([isCarried(config, ODD, ODD, "b"), isCarried(config, ODD, ODD, "a")]).toEqual([false, true]);
    expect(JSON.parse(JSON.stringify(config))).toEqual(config);
    expect(setPair(config, "where", "__proto__", " ")["where"]).toBeUndefined();
  });

  it("forgets tables when another source is chosen, and keeps them for another target", () => {
    const config = choose(setPlace(EMPTY, "source", "connectionId", "conn_1"), ["t"]);
    expect(tableNames(setPlace(config, "target", "connectionId", "conn_2"))).toEqual(["t"]);
    const other = setPlace(config, "source", "connectionId", "conn_3");
    expect([place(other, "source").connectionId, tableNames(other)]).toEqual(["conn_3", []]);
  });

  it("is sent with both sides, however little is said of them", () => {
    expect(body({ mode: "cdc" })).toEqual({ mode: "cdc", source: { connections: [{}] }, target: {} });
  });

  it("changes whitelisted columns in their list", () => {
    const config = setTableMember(choose(EMPTY, ["t"]), "t", "selection", { selectedColumns: ["a", "b"], filters: [] });
    const less = withColumn(config, "t", "t", "a", false);
    expect(isCarried(less, "t", "t", "a")).toBe(false);
    expect(at(less, ["source", "connections", 0, "tables", 0, "selection"])).toEqual({
      selectedColumns: ["b"],
      filters: [],
    });
    expect(isCarried(withColumn(less, "t", "t", "a", true), "t", "t", "a")).toBe(true);
  });
});

describe("options", () => {
  it("are in the config only where they are not at their default", () => {
    const policy = option("target.spec.db.schemaPolicy");
    expect(optionValue(EMPTY, policy)).toBe("fail_if_exists");
    const other = withOption(EMPTY, policy, "drop_and_recreate");
    expect(at(other, ["target", "spec", "db", "schemaPolicy"])).toBe("drop_and_recreate");
    expect(body(withOption(other, policy, "fail_if_exists"))).toEqual(body(EMPTY));
    const jobs = option("jobs");
    expect(withOption(EMPTY, jobs, "8")["jobs"]).toBe(8);
    expect(withOption(EMPTY, jobs, "eight")["jobs"]).toBe("eight");
    expect(withOption(EMPTY, jobs, "")["jobs"]).toBeUndefined();
  });

  it("that a mode does not have go when it is chosen", () => {
    let config = withOption(EMPTY, option("target.spec.db.writeMode"), "append");
    config = setPair(config, "where", "t", "a > 1");
    const cdc = withMode(config, "cdc");
    expect([mode(cdc), cdc["where"], at(cdc, ["target", "spec"])]).toEqual(["cdc", undefined, undefined]);
    const alerts = GROUPS.find((group) => group.id === "alerts");
    const told = withOption(cdc, option("maxLagSeconds"), "60");
    expect(alerts && changedIn(told, alerts)).toBe(1);
    expect(withMode(told, "convert")["maxLagSeconds"]).toBeUndefined();
  });

  it("of changes in parts is sent when there are several, and goes with mode cdc", () => {
    const parts = option("partitions");
    expect(parts.modes).toEqual(["cdc"]);
    const cdc = withMode(EMPTY, "cdc");
    expect(optionValue(cdc, parts)).toBe("1");
    const several = withOption(cdc, parts, "4");
    expect(body(several)).toEqual({ ...body(cdc), partitions: 4 });
    expect(body(withOption(several, parts, "1"))).toEqual(body(cdc));
    expect(withOption(cdc, parts, "0")["partitions"]).toBe(0);
    expect(withMode(several, "convert")["partitions"]).toBeUndefined();
    const saved = opened({ mode: "cdc", source: "conn_1", target: "conn_2", partitions: 3 });
    expect(optionValue(saved.config, parts)).toBe("3");
  });
});

describe("the selection", () => {
  const items = ["a", "b", "c"].map(size);

  it("of every table lists those that are left out", () => {
    const draft = toggled({ config: EMPTY, all: true }, ["b"], false);
    expect(names(draft.config, ["exclude"])).toEqual(["b"]);
    expect(items.map((one) => isChosen(draft)(one.name))).toEqual([true, false, true]);
    expect(toggled(draft, ["b"], true).config["exclude"]).toBeUndefined();
  });

  it("stays as it is when only chosen tables are wanted", () => {
    const draft = withAll(toggled({ config: EMPTY, all: true }, ["b"], false), false, items);
    expect(tableNames(draft.config)).toEqual(["a", "c"]);
    expect(draft.config["exclude"]).toBeUndefined();
    expect(tableNames(toggled(draft, ["c", "a"], false).config)).toEqual([]);
  });

  it("names what the source does not have", () => {
    const draft = { config: choose(EMPTY, ["a", "gone", "shop.b"]), all: false };
    expect(missingNames(draft, items)).toEqual(["gone"]);
  });
});

describe("a saved config", () => {
  it("of the flat shape means the same in the nested one", () => {
    const { config, all } = opened({
      id: "config_1",
      created: 1,
      name: "shop_12345",
      mode: "convert",
      source: "conn_1",
      target: "conn_2",
      dataBundleSize: 100,
      skipIndexCreation: true,
      reportingIntervals: { source: 5, target: 3 },
      tables: [
        { name: "a", target: "b", renames: { __proto__x: "y" }, excludeColumns: ["z"], where: "q > 1", columns: ["q"] },
        { name: "few", query: "SELECT 1 AS a" },
      ],
      rowErrors: { policy: "quarantine" },
    });
    expect(all).toBe(false);
    expect(config).toEqual({
      name: "shop_12345",
      mode: "convert",
      source: {
        connections: [
          {
            connectionId: "conn_1",
            tables: [{ name: "a", selection: { selectedColumns: ["q"] } }],
            queries: [{ name: "few", query: "SELECT 1 AS a" }],
          },
        ],
        options: { dataBundleSize: 100 },
      },
      target: {
        id: "conn_2",
        spec: { db: { skipIndexCreation: true, schemaPolicy: "create_missing_only", writeMode: "append" } },
      },
      reportingInterval: 3,
      renames: { a: "b", "a.__proto__x": "y" },
      where: { a: "q > 1" },
      excludeColumns: ["a.z"],
      rowErrors: { policy: "quarantine" },
    });
  });

  it("of the nested shape keeps members that the wizard does not show", () => {
    const saved = {
      mode: "load",
      source: { connections: [{ connectionId: "c", alias: "x" }] },
      target: { id: "d" },
      retrySeconds: 5,
    };
    expect(opened(saved)).toEqual({ config: saved, all: true });
  });
});

describe("numbers", () => {
  it("that are none stop the step that they are on, by their names", () => {
    const jobs = GROUPS.flatMap((group) => group.options).find((option) => pathName(option.path) === "jobs");
    if (!jobs) throw new Error("no option jobs");
    const of = (typed: string) => withOption(EMPTY, jobs, typed);
    expect(["", "8", "-5x", "1.5", "-1", "1e3"].map((typed) => wrongNumbers(of(typed)).length)).toEqual([
      0, 0, 1, 1, 1, 0,
    ]);
    expect(missing("options", { config: of("-5x"), all: true })).toBe(`Correct “${jobs.label}”`);
    expect(wrongNumbers(withMode(EMPTY, "cdc"))).toEqual([]);
  });
});

describe("patterns", () => {
  it.each([
    ["order_*", ["order_lines", "ORDER_x"], ["orders", "border_a"]],
    ["a?, !ab", ["ac"], ["ab", "a", "abc"]],
    ["!*_old", ["a"], ["a_old"]],
    ["a.b+(c)", ["a.b+(c)"], ["aXb+(c)"]],
  ])("%s", (pattern, fit, others) => {
    const fits = matcher(pattern);
    expect(fit.map((name) => fits?.(name))).toEqual(fit.map(() => true));
    expect(others.map((name) => fits?.(name))).toEqual(others.map(() => false));
  });

  it("of nothing are none", () => {
    expect(matcher(" , ")).toBeNull();
  });
});
