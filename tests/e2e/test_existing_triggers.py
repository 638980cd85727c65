"""Triggers of tables that the target has already are told of, as they may change what is written."""

from __future__ import annotations

from mainstem.engine.existing import TRIGGER
from mainstem.model.run import RunOptions, RunState, SchemaPolicy, WriteMode
from tests.e2e.routes import MYSQL, Route

TRIGGERS = {
    MYSQL: (
        "CREATE TRIGGER at_insert BEFORE INSERT ON held FOR EACH ROW SET NEW.v = NEW.v + 100",
        "CREATE TRIGGER at_update BEFORE UPDATE ON held FOR EACH ROW SET NEW.v = NEW.v + 100",
    ),
    "postgresql": (
        "CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v = NEW.v + 100; RETURN NEW; END'",
        "CREATE TRIGGER at_insert BEFORE INSERT ON held FOR EACH ROW EXECUTE FUNCTION more()",
        "CREATE TRIGGER at_update BEFORE UPDATE OF v ON held FOR EACH ROW EXECUTE FUNCTION more()",
        "CREATE TRIGGER off BEFORE INSERT ON held FOR EACH ROW EXECUTE FUNCTION more()",
        "ALTER TABLE held DISABLE TRIGGER off",
    ),
}
MODES = {WriteMode.APPEND: ["at_insert"], WriteMode.UPSERT: ["at_insert", "at_update"]}


def test_triggers_that_fire_are_told_of_and_others_are_not(route: Route) -> None:
    made = "CREATE TABLE held (id INT PRIMARY KEY, v INT)"
    route.source.run(made, "INSERT INTO held VALUES (1, 5)")
    route.target.run(made, *TRIGGERS[route.target.settings.type])
    for mode, names in MODES.items():
        options = RunOptions(schema_policy=SchemaPolicy.VALIDATE, write_mode=mode)
        progress = route.conversion(options).run()
        assert (progress.state, progress.error) == (RunState.FINISHED, "")
        told = [item.object.rsplit(".", 1)[1] for item in progress.report if item.code == TRIGGER]
        assert sorted(told) == names, mode
    assert route.target.run("SELECT v FROM held") != [(5,)]
