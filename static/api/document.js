// What the OpenAPI document says, in words. Nothing here touches the page.

/** The operations of a document by tag: `[{tag, operations: [{method, path, ...}]}]`. */
export function byTag(spec) {
  const groups = new Map();
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const [tag] = operation.tags;
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push({ method: method.toUpperCase(), path, ...operation });
    }
  }
  return [...groups].sort(([a], [b]) => a.localeCompare(b)).map(([tag, operations]) => ({ tag, operations }));
}

/** Whether an operation is one that somebody looks for. */
export function matches(operation, sought) {
  const text = `${operation.method} ${operation.path} ${operation.summary} ${operation.tags.join(" ")}`.toLowerCase();
  return sought.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** A schema as its fields and their kinds, one a line; named schemas are spelt out once on each way down. */
export function kind(schema, spec, indent = "", seen = []) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return seen.includes(name) ? name : kind(spec.components.schemas[name], spec, indent, [...seen, name]);
  }
  const inner = (other) => kind(other, spec, indent, seen);
  if (schema.anyOf && !schema.properties) return schema.anyOf.map(inner).join(" or ");
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (schema.properties) return fields(schema, spec, indent, seen);
  if (schema.type === "array") return `list of ${schema.items ? inner(schema.items) : "anything"}`;
  if (schema.type === "object" && schema.additionalProperties?.type) return `object of ${inner(schema.additionalProperties)}`;
  if (schema.type === "null") return "null";
  return [schema.type ?? "anything", schema.format && `(${schema.format})`, range(schema)].filter(Boolean).join(" ");
}

function fields(schema, spec, indent, seen) {
  const deeper = `${indent}  `;
  const required = new Set(schema.required);
  const lines = Object.entries(schema.properties).map(([name, value]) => `${deeper}${name}${required.has(name) ? "" : "?"}: ${kind(value, spec, deeper, seen)}`);
  return `{\n${lines.join("\n")}\n${indent}}`;
}

function range(schema) {
  const least = schema.minimum ?? schema.minLength;
  const most = schema.maximum ?? schema.maxLength;
  const of = schema.maxLength === undefined ? "" : " characters";
  if (least !== undefined && most !== undefined) return `${least} to ${most}${of}`;
  if (most !== undefined) return `up to ${most}${of}`;
  return "";
}

/** The bodies that an answer or a request may have: `[{type, words}]`. */
export function bodies(content, spec) {
  return Object.entries(content ?? {}).map(([type, { schema }]) => ({ type, words: type === "application/json" ? kind(schema ?? {}, spec) : "" }));
}

/** The address with variables filled in and the query added; `values` by name. */
export function address(operation, values) {
  const given = (operation.parameters ?? []).filter((one) => values[one.name]);
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values[name] ?? ""));
  const query = given.filter((one) => one.in === "query").map((one) => `${one.name}=${encodeURIComponent(values[one.name])}`);
  return query.length ? `${path}?${query.join("&")}` : path;
}

/** How to ask from a terminal. */
export function command(operation, origin) {
  const [type] = Object.keys(operation.requestBody?.content ?? {});
  const said = [
    operation.method === "GET" ? "curl" : `curl -X ${operation.method}`,
    operation["x-scope"] ? '-H "Authorization: Bearer $KEY"' : "",
    type === "application/json" ? "--json '{…}'" : type ? `-H "Content-Type: ${type}" --data-binary @FILE` : "",
    `"${origin}${operation.path}"`,
  ];
  return said.filter(Boolean).join(" ");
}
