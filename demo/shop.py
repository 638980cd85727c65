"""Fills the sample shop: the server makes the rows itself from its sequence tables, the same ones for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainstem.connectors.mysql.client import connect
from mainstem.model.connection import ConnectionSettings

FULL_ROWS = 690_000
SCHEMA = Path(__file__).with_name("shop.sql")

COUNTRIES = (
    ("AR", "Argentina", "America", "ARS", "0.210", 54),
    ("AU", "Australia", "Oceania", "AUD", "0.100", 61),
    ("BR", "Brasil", "America", "BRL", "0.170", 55),
    ("CH", "Schweiz", "Europe", "CHF", "0.081", 41),
    ("CZ", "Česko", "Europe", "CZK", "0.210", 420),
    ("DE", "Deutschland", "Europe", "EUR", "0.190", 49),
    ("ES", "España", "Europe", "EUR", "0.210", 34),
    ("FR", "France", "Europe", "EUR", "0.200", 33),
    ("GR", "Ελλάδα", "Europe", "EUR", "0.240", 30),
    ("IN", "भारत", "Asia", "INR", "0.180", 91),
    ("IS", "Ísland", "Europe", "ISK", "0.240", 354),
    ("JP", "日本", "Asia", "JPY", "0.100", 81),
    ("KE", "Kenya", "Africa", "KES", "0.160", 254),
    ("NL", "Nederland", "Europe", "EUR", "0.210", 31),
    ("NZ", "Aotearoa", "Oceania", "NZD", "0.150", 64),
    ("UA", "Україна", "Europe", "UAH", "0.200", 380),
    ("US", "United States", "America", "USD", "0.000", 1),
    ("ZA", "South Africa", "Africa", "ZAR", "0.150", 27),
)


def _words(joined: str) -> tuple[str, ...]:
    return tuple(joined.split("|"))


FIRST = _words(
    "Ada|Björn|Chloé|Dmytro|Eirini|Farah|Gísli|Hana|Iñaki|Jürgen|Kenji|Łucja|Mónica|Naïma|"
    "Øyvind|Priya|Quentin|Růžena|Søren|太郎|Ülkü|Venla|Wanjiru|Zoë"
)
LAST = _words(
    "Ångström|Bianchi|Çelik|Dvořák|Eriksen|Fernández|Grünwald|Haddad|Ivanenko|Jansen|"
    "Kowalczyk|Lefèvre|Müller|Nakamura|O’Neill|Papadopoulos|Rossi|Šimková|Takács|山田"
)
CITIES = _words(
    "Reykjavík|Kraków|São Paulo|Zürich|Αθήνα|Київ|京都|Nairobi|Wellington|Brno|Málaga|Köln|"
    "Utrecht|Boston|Cape Town|Lyon"
)
THINGS = _words(
    "kettle|teapot ☕|lamp 💡|notebook 📓|bicycle bell 🔔|rain coat ☔|cactus 🌵|chess set ♟|"
    "blanket|globe 🌍|camera 📷|watering can|headphones 🎧|puzzle 🧩|wind chime|backpack 🎒"
)
LOOKS = _words("red|midnight blue|crème|copper|oak|hand-made|folding|tiny|vintage|recycled")
NOTES = _words(
    "please ring twice 🔔|leave at the neighbour’s|c/o 3ème étage|tab\there|"
    'line one\nline two|back\\slash|gift 🎁 – no invoice|say "hello"'
)
OPINIONS = _words(
    "Exactly what I wanted. |Broke after a week 😞. |My cat loves it 🐈. |Très joli ! |"
    "Würde ich wieder kaufen. |とても良い。|Colour differs from the picture. |Fast delivery 🚀. |"
    "Five stars ⭐⭐⭐⭐⭐. "
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows per table at a scale; small tables keep what their foreign keys need."""

    categories: int
    suppliers: int
    products: int
    customers: int
    orders: int
    reviews: int
    warehouses: int

    @classmethod
    def for_rows(cls, rows: int) -> Sizes:
        """Sizes that make about so many rows in all."""
        scale = rows / FULL_ROWS

        def at(full: int, least: int = 5) -> int:
            return max(least, round(full * scale))

        return cls(
            categories=at(60, 8),
            suppliers=at(500),
            products=at(10_000, 10),
            customers=at(50_000, 20),
            orders=at(120_000, 20),
            reviews=at(40_000),
            warehouses=min(12, at(12, 2)),
        )


class _Dice:
    """SQL expressions that are random to look at and the same every time."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0

    def roll(self, sides: int, row: str = "seq") -> str:
        """A whole number from 0 to ``sides - 1``, independent of all others."""
        self._count += 1
        hashed = f"crc32(concat('{self._seed}.{self._count}.', {row}))"
        return f"cast((({hashed} * 2654435761) >> 11) % {sides} AS signed)"  # neighbours' CRCs alone are too alike

    def pick(self, texts: tuple[str, ...], row: str = "seq") -> str:
        """One of these texts."""
        return f"elt(1 + {self.roll(len(texts), row)}, {', '.join(map(_literal, texts))})"

    def rarely(self, one_in: int, value: str, otherwise: str = "NULL") -> str:
        """A value in one of so many rows."""
        return f"if({self.roll(one_in)} = 0, {value}, {otherwise})"

    def noise(self, blocks: int) -> str:
        """Bytes: so many times 16."""
        parts = (f"unhex(md5(concat('{self._seed}.b', {number}, '.', seq)))" for number in range(blocks))
        return f"concat({', '.join(parts)})"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n").replace("\t", "\\t")
    return f"'{escaped}'"


def fill(server: ConnectionSettings, database: str, rows: int = FULL_ROWS, seed: int = 7) -> int:
    """Make the database with its schema and about so many rows; returns how many there are."""
    with connect(server) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4")
        cursor.execute(f"USE `{database}`")
        for setting in ("sql_log_bin = 0", "foreign_key_checks = 0", "unique_checks = 0", "timestamp = 1750000000"):
            cursor.execute(f"SET {setting}")
        for statement in _statements(SCHEMA.read_text(encoding="utf-8")):
            cursor.execute(statement)
        written = sum(cursor.execute(insert) for insert in inserts(Sizes.for_rows(rows), _Dice(seed)))
        _analyze(cursor)
        return written


def _statements(script: str) -> list[str]:
    lines = (line for line in script.splitlines() if not line.startswith("--"))
    return [statement.strip() for statement in "\n".join(lines).split(";\n") if statement.strip()]


def _analyze(cursor: Any) -> None:
    cursor.execute("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")
    cursor.execute("ANALYZE TABLE " + ", ".join(f"`{row[0]}`" for row in cursor.fetchall()))
    cursor.fetchall()


def inserts(sizes: Sizes, dice: _Dice) -> list[str]:
    """One INSERT per table, parents first."""
    return [*_small_tables(sizes, dice), *_people(sizes, dice), *_trade(sizes, dice)]


def _small_tables(sizes: Sizes, dice: _Dice) -> list[str]:
    countries = ", ".join("(" + ", ".join(_literal(str(cell)) for cell in row) + ")" for row in COUNTRIES)
    codes = tuple(row[0] for row in COUNTRIES)
    return [
        f"INSERT INTO country VALUES {countries}",
        "INSERT INTO category (id, parent_id, slug, name, position, visible)"
        f" SELECT seq, if(seq <= 6, NULL, seq DIV 6), concat('category-', seq), concat({dice.pick(LOOKS)}, ' ', seq),"
        f" seq % 100, {dice.roll(9)} > 0 FROM seq_1_to_{sizes.categories}",
        "INSERT INTO supplier (id, name, country, founded, rating, contact, contract)"
        f" SELECT seq, concat({dice.pick(LAST)}, ' & ', {dice.pick(LAST)}), {dice.pick(codes)},"
        f" {dice.rarely(4, 'NULL', f'1901 + {dice.roll(120)}')}, round(1 + {dice.roll(400)} / 100, 2),"
        f" json_object('phone', concat('+', {dice.roll(900000000)}),"
        f" 'languages', json_array('en', {dice.pick(('fr', 'de', 'ja'))})),"
        f" {dice.rarely(3, dice.noise(40))} FROM seq_1_to_{sizes.suppliers}",
        "INSERT INTO product (id, sku, name, category_id, supplier_id, price, weight_kg, badges, flags, attributes,"
        " description, thumbnail, discontinued, released, created_at, updated_at)"
        f" SELECT seq, concat('SKU-', lpad(seq, 8, '0')), concat({dice.pick(LOOKS)}, ' ', {dice.pick(THINGS)}),"
        f" 1 + {dice.roll(sizes.categories)}, 1 + {dice.roll(sizes.suppliers)}, (99 + {dice.roll(49900)}) / 100,"
        f" {dice.rarely(10, 'NULL', f'{dice.roll(90000)} / 997')}, {dice.roll(32)}, {dice.roll(256)},"
        f" json_object('colour', {dice.pick(LOOKS)}, 'size', json_array({dice.roll(90)}, {dice.roll(90)}),"
        f" 'new', json_extract(if({dice.roll(2)}, 'true', 'false'), '$')),"
        f" repeat({dice.pick(OPINIONS)}, 1 + {dice.roll(8)}), {dice.noise(6)}, {dice.roll(20)} = 0,"
        f" date('2015-01-01') + INTERVAL {dice.roll(3800)} DAY,"
        f" from_unixtime(1420070400 + {dice.roll(300000000)}), from_unixtime(1720070400 + {dice.roll(30000000)})"
        f" FROM seq_1_to_{sizes.products}",
        "INSERT INTO warehouse (id, name, country, opens, closes)"
        f" SELECT seq, concat('{{}} ', seq), {dice.pick(codes)}, sec_to_time(3600 * (5 + {dice.roll(4)})),"
        f" sec_to_time(3600 * 20 + 60 * {dice.roll(59)}) FROM seq_1_to_{sizes.warehouses}".replace("{}", "Depot №"),
        "INSERT INTO stock (warehouse_id, product_id, quantity, shelf, counted_on)"
        f" SELECT 1 + (p.seq + w.seq * 7) % {sizes.warehouses}, p.seq, {dice.roll(500, 'p.seq * 16 + w.seq')},"
        f" concat(char(65 + p.seq % 26), '-', w.seq), '2025-06-01' - INTERVAL {dice.roll(90, 'p.seq')} DAY"
        f" FROM seq_1_to_{sizes.products} p JOIN seq_1_to_{min(4, sizes.warehouses)} w"
        f" GROUP BY 1, 2",
    ]


def _people(sizes: Sizes, dice: _Dice) -> list[str]:
    codes = tuple(row[0] for row in COUNTRIES)
    return [
        "INSERT INTO customer (id, email, name, birthday, tier, newsletter, balance, preferences, avatar, referred_by,"
        " created_at, last_login)"
        f" SELECT seq, concat('customer', seq, '@example.com'), concat({dice.pick(FIRST)}, ' ', {dice.pick(LAST)}),"
        f" {dice.rarely(8, 'NULL', f'''date('1940-01-01') + INTERVAL {dice.roll(25000)} DAY''')},"
        f" 1 + {dice.roll(3)}, {dice.roll(2)}, ({dice.roll(2000000)} - 500000) / 10000,"
        f" json_object('theme', {dice.pick(('dark', 'light', '🌈'))}, 'per_page', {dice.roll(100)}),"
        f" {dice.rarely(3, dice.noise(2))}, if(seq > 10 AND {dice.roll(5)} = 0, 1 + seq DIV 7, NULL),"
        f" '2018-01-01' + INTERVAL {dice.roll(230000000)} SECOND + INTERVAL {dice.roll(1000)} * 1000 MICROSECOND,"
        f" {dice.rarely(3, f'from_unixtime(1700000000 + {dice.roll(50000000)})')} FROM seq_1_to_{sizes.customers}",
        "INSERT INTO address (customer_id, kind, street, city, zip, country)"
        f" SELECT c.seq, k.seq, concat({dice.pick(LAST, 'c.seq')}, ' ', 1 + {dice.roll(200, 'c.seq')}),"
        f" {dice.pick(CITIES, 'c.seq')}, lpad({dice.roll(99999, 'c.seq')}, 5, '0'), {dice.pick(codes, 'c.seq')}"
        f" FROM seq_1_to_{sizes.customers} c JOIN seq_1_to_2 k ON k.seq = 1 OR c.seq % 2 = 0",
    ]


def _trade(sizes: Sizes, dice: _Dice) -> list[str]:
    line = "o.seq * 4 + l.seq"
    return [
        "INSERT INTO orders (id, customer_id, status, placed_at, deliver_on, deliver_after, shipping, note)"
        f" SELECT seq, 1 + {dice.roll(sizes.customers)}, 1 + {dice.roll(5)},"
        f" '2021-01-01' + INTERVAL {dice.roll(140000000)} SECOND + INTERVAL {dice.roll(1000000)} MICROSECOND,"
        f" {dice.rarely(2, f'''date('2025-07-01') + INTERVAL {dice.roll(60)} DAY''')},"
        f" {dice.rarely(2, f'sec_to_time({dice.roll(86400)})')}, {dice.roll(2500)} / 100,"
        f" {dice.rarely(6, dice.pick(NOTES))} FROM seq_1_to_{sizes.orders}",
        "INSERT INTO order_line (order_id, line, product_id, quantity, unit_price, discount, gift)"
        f" SELECT o.seq, l.seq, 1 + {dice.roll(sizes.products, line)}, 1 + {dice.roll(9, line)},"
        f" (99 + {dice.roll(49900, line)}) / 100, {dice.roll(300, line)} / 1000, {dice.roll(12, line)} = 0"
        f" FROM seq_1_to_{sizes.orders} o JOIN seq_1_to_3 l ON l.seq <= 1 + o.seq % 3",
        "INSERT INTO payment (reference, order_id, method, amount, paid_at)"
        f" SELECT unhex(md5(concat('payment', seq))), seq, 1 + {dice.roll(4)}, {dice.roll(90000)} / 100,"
        f" from_unixtime(1610000000 + {dice.roll(140000000)} + {dice.roll(1000)} / 1000)"
        f" FROM seq_1_to_{sizes.orders} WHERE seq % 10 > 0",
        "INSERT INTO review (id, product_id, customer_id, stars, title, body, written_at)"
        f" SELECT seq, 1 + {dice.roll(sizes.products)}, 1 + {dice.roll(sizes.customers)}, 1 + {dice.roll(5)},"
        f" concat({dice.pick(LOOKS)}, '!'), repeat({dice.pick(OPINIONS)}, 1 + {dice.roll(12)}),"
        f" '2022-01-01' + INTERVAL {dice.roll(110000000)} SECOND FROM seq_1_to_{sizes.reviews}",
    ]
