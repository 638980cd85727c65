"""The page at /docs: a list of all operations, read from /openapi.json; nothing comes from another host."""

from __future__ import annotations

from starlette.responses import HTMLResponse

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self';"
    " frame-ancestors 'none'"
)


def docs() -> HTMLResponse:
    """The page."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Mainstem API</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1c2733}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:1.6rem 0 .3rem}
code,pre{font-family:ui-monospace,monospace;font-size:.92em}pre{background:#f2f5f7;padding:.6rem;overflow:auto}
summary{cursor:pointer;padding:.15rem 0}summary b{display:inline-block;width:4.4rem;color:#0b6e6e}
summary span,.p{color:#52616f}@media(prefers-color-scheme:dark){body{background:#12181d;color:#dfe7ec}
pre{background:#1b242b}summary b{color:#54c7c7}summary span,.p{color:#9db0bd}a{color:#7cc4ff}}
</style>
<h1>Mainstem API</h1>
<p>Every call but the open ones takes the header <code>X-API-Key</code>.
Machine-readable: <a href="/openapi.json">/openapi.json</a>.</p>
<main></main>
<script>
const make = (name, text, kind) => {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
};
const shape = (doc, schema, seen = []) => {
  if (!schema) return '';
  if (schema.$ref) {
    const name = schema.$ref.split('/').pop();
    return seen.includes(name) ? name : shape(doc, doc.components.schemas[name], [...seen, name]);
  }
  const choice = schema.anyOf || schema.oneOf;
  if (choice) return choice.map(one => shape(doc, one, seen)).filter(one => one !== 'null').join(' | ');
  if (schema.enum) return schema.enum.map(one => JSON.stringify(one)).join(' | ');
  if (schema.type === 'array') return '[' + shape(doc, schema.items, seen) + ']';
  if (schema.properties) {
    const must = schema.required || [];
    const indent = '  '.repeat(seen.length || 1);
    const lines = Object.entries(schema.properties).map(
      ([name, one]) => indent + name + (must.includes(name) ? '' : '?') + ': ' + shape(doc, one, [...seen, '']));
    return '{\\n' + lines.join('\\n') + '\\n' + indent.slice(2) + '}';
  }
  return schema.type || 'any';
};
const operation = (doc, method, path, item) => {
  const box = make('details');
  const head = make('summary');
  head.append(make('b', method.toUpperCase()), make('code', path), make('span', '  ' + (item.summary || '')));
  box.append(head, make('p', item.description || '', 'p'));
  for (const one of item.parameters || [])
    box.append(make('p', one.in + ' ' + one.name + (one.description ? ': ' + one.description : ''), 'p'));
  const sent = item.requestBody && item.requestBody.content['application/json'];
  if (sent) box.append(make('p', 'body'), make('pre', shape(doc, sent.schema)));
  const answer = (item.responses['200'] || {}).content;
  const got = answer && answer['application/json'];
  if (got) box.append(make('p', 'answer'), make('pre', shape(doc, got.schema)));
  return box;
};
fetch('/openapi.json').then(answer => answer.json()).then(doc => {
  const groups = {};
  for (const [path, items] of Object.entries(doc.paths))
    for (const [method, item] of Object.entries(items))
      (groups[(item.tags || ['other'])[0]] ??= []).push(operation(doc, method, path, item));
  for (const [name, boxes] of Object.entries(groups))
    document.querySelector('main').append(make('h2', name), ...boxes);
});
</script>
</html>
"""
