-- The sample shop: the kinds of columns, keys and names that real MySQL schemas hold. No statement contains a semicolon.

CREATE TABLE country (
  code char(2) CHARACTER SET ascii NOT NULL,
  name varchar(60) NOT NULL,
  continent enum('Africa','America','Asia','Europe','Oceania') NOT NULL,
  currency char(3) CHARACTER SET ascii NOT NULL,
  vat decimal(4,3) NOT NULL DEFAULT 0.200,
  dial_code smallint unsigned NOT NULL,
  PRIMARY KEY (code)
) COMMENT='where customers and suppliers are';

CREATE TABLE category (
  id int unsigned NOT NULL AUTO_INCREMENT,
  parent_id int unsigned DEFAULT NULL,
  slug varchar(80) CHARACTER SET ascii NOT NULL,
  name varchar(80) NOT NULL,
  position tinyint NOT NULL DEFAULT 0,
  visible tinyint(1) NOT NULL DEFAULT 1,
  PRIMARY KEY (id),
  UNIQUE KEY slug (slug),
  KEY parent (parent_id),
  CONSTRAINT category_parent FOREIGN KEY (parent_id) REFERENCES category (id) ON DELETE SET NULL
) COMMENT='a tree: each category may stand below another';

CREATE TABLE supplier (
  id int unsigned NOT NULL AUTO_INCREMENT,
  name varchar(100) NOT NULL,
  country char(2) CHARACTER SET ascii NOT NULL,
  founded year DEFAULT NULL,
  rating float DEFAULT NULL,
  contact json DEFAULT NULL,
  contract mediumblob DEFAULT NULL,
  PRIMARY KEY (id),
  KEY country (country),
  CONSTRAINT supplier_country FOREIGN KEY (country) REFERENCES country (code) ON UPDATE CASCADE
);

CREATE TABLE product (
  id int unsigned NOT NULL AUTO_INCREMENT,
  sku char(12) CHARACTER SET ascii NOT NULL,
  name varchar(120) NOT NULL,
  category_id int unsigned NOT NULL,
  supplier_id int unsigned NOT NULL,
  price decimal(10,2) NOT NULL,
  price_with_vat decimal(12,2) GENERATED ALWAYS AS (round(price * 1.2, 2)) STORED,
  weight_kg double DEFAULT NULL,
  badges set('new','sale','organic','fragile','gift') NOT NULL DEFAULT '',
  flags bit(8) NOT NULL DEFAULT b'0',
  attributes json DEFAULT NULL,
  description text DEFAULT NULL,
  thumbnail blob DEFAULT NULL,
  discontinued tinyint(1) NOT NULL DEFAULT 0,
  released date DEFAULT NULL,
  created_at timestamp NOT NULL DEFAULT current_timestamp(),
  updated_at timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(),
  PRIMARY KEY (id),
  UNIQUE KEY sku (sku),
  KEY category (category_id, price),
  KEY supplier (supplier_id),
  FULLTEXT KEY words (name, description),
  CONSTRAINT product_category FOREIGN KEY (category_id) REFERENCES category (id),
  CONSTRAINT product_supplier FOREIGN KEY (supplier_id) REFERENCES supplier (id),
  CONSTRAINT product_price CHECK (price >= 0)
);

CREATE TABLE customer (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  email varchar(190) NOT NULL,
  name varchar(100) NOT NULL,
  birthday date DEFAULT NULL,
  tier enum('bronze','silver','gold') NOT NULL DEFAULT 'bronze',
  newsletter tinyint(1) NOT NULL DEFAULT 0,
  balance decimal(14,4) NOT NULL DEFAULT 0.0000,
  preferences json DEFAULT NULL,
  avatar varbinary(64) DEFAULT NULL,
  referred_by bigint unsigned DEFAULT NULL,
  created_at datetime(3) NOT NULL DEFAULT current_timestamp(3),
  last_login timestamp NULL DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY email (email),
  KEY name (name(20)),
  KEY referred_by (referred_by),
  CONSTRAINT customer_referred_by FOREIGN KEY (referred_by) REFERENCES customer (id) ON DELETE SET NULL
);

CREATE TABLE address (
  customer_id bigint unsigned NOT NULL,
  kind enum('billing','shipping') NOT NULL,
  street varchar(120) NOT NULL,
  city varchar(80) NOT NULL,
  zip varchar(12) NOT NULL,
  country char(2) CHARACTER SET ascii NOT NULL,
  PRIMARY KEY (customer_id, kind),
  KEY country (country),
  CONSTRAINT address_customer FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE CASCADE,
  CONSTRAINT address_country FOREIGN KEY (country) REFERENCES country (code) ON UPDATE CASCADE
);

CREATE TABLE orders (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  customer_id bigint unsigned NOT NULL,
  status enum('new','paid','packed','shipped','returned') NOT NULL DEFAULT 'new',
  placed_at datetime(6) NOT NULL,
  deliver_on date DEFAULT NULL,
  deliver_after time DEFAULT NULL,
  shipping decimal(8,2) NOT NULL DEFAULT 0.00,
  note varchar(255) DEFAULT NULL,
  PRIMARY KEY (id),
  KEY customer (customer_id, placed_at DESC),
  KEY placed_at (placed_at),
  CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customer (id)
);

CREATE TABLE order_line (
  order_id bigint unsigned NOT NULL,
  line smallint unsigned NOT NULL,
  product_id int unsigned NOT NULL,
  quantity mediumint unsigned NOT NULL,
  unit_price decimal(10,2) NOT NULL,
  discount decimal(4,3) NOT NULL DEFAULT 0.000,
  gift tinyint(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (order_id, line),
  KEY product (product_id),
  CONSTRAINT order_line_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
  CONSTRAINT order_line_product FOREIGN KEY (product_id) REFERENCES product (id),
  CONSTRAINT order_line_discount CHECK (discount between 0 and 1)
);

CREATE TABLE payment (
  reference binary(16) NOT NULL,
  order_id bigint unsigned NOT NULL,
  method enum('card','transfer','cash','voucher') NOT NULL,
  amount decimal(12,2) NOT NULL,
  paid_at timestamp(3) NOT NULL DEFAULT current_timestamp(3),
  PRIMARY KEY (reference),
  KEY order_id (order_id),
  CONSTRAINT payment_order FOREIGN KEY (order_id) REFERENCES orders (id)
);

CREATE TABLE review (
  id int unsigned NOT NULL AUTO_INCREMENT,
  product_id int unsigned NOT NULL,
  customer_id bigint unsigned NOT NULL,
  stars tinyint unsigned NOT NULL,
  title varchar(80) NOT NULL,
  body mediumtext NOT NULL,
  written_at datetime NOT NULL,
  PRIMARY KEY (id),
  KEY product (product_id),
  KEY customer (customer_id),
  CONSTRAINT review_product FOREIGN KEY (product_id) REFERENCES product (id) ON DELETE CASCADE,
  CONSTRAINT review_customer FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE CASCADE,
  CONSTRAINT review_stars CHECK (stars between 1 and 5)
);

CREATE TABLE warehouse (
  id tinyint unsigned NOT NULL AUTO_INCREMENT,
  name varchar(60) NOT NULL,
  country char(2) CHARACTER SET ascii NOT NULL,
  opens time NOT NULL,
  closes time NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY name (name),
  CONSTRAINT warehouse_country FOREIGN KEY (country) REFERENCES country (code)
);

CREATE TABLE stock (
  warehouse_id tinyint unsigned NOT NULL,
  product_id int unsigned NOT NULL,
  quantity int NOT NULL,
  shelf varchar(8) CHARACTER SET ascii DEFAULT NULL,
  counted_on date NOT NULL,
  PRIMARY KEY (warehouse_id, product_id),
  KEY product (product_id),
  CONSTRAINT stock_warehouse FOREIGN KEY (warehouse_id) REFERENCES warehouse (id),
  CONSTRAINT stock_product FOREIGN KEY (product_id) REFERENCES product (id) ON DELETE CASCADE
);

CREATE VIEW revenue_by_month AS
  SELECT year(o.placed_at) AS y, month(o.placed_at) AS m, count(DISTINCT o.id) AS orders,
         sum(l.quantity * l.unit_price * (1 - l.discount)) AS revenue
  FROM orders o JOIN order_line l ON l.order_id = o.id
  WHERE o.status <> 'returned'
  GROUP BY year(o.placed_at), month(o.placed_at);

CREATE TRIGGER stock_never_negative BEFORE UPDATE ON stock FOR EACH ROW SET NEW.quantity = greatest(NEW.quantity, 0);
