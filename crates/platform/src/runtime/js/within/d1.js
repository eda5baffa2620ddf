// D1 databases as Workers see them, around a stub that takes calls: `{queries: [{sql, params}], several}`.

const BOOKMARKLESS = ["first-primary", "first-unconstrained"];

/** What the platform answers to a call, or an error with its words. */
async function call(stub, queries, several) {
  let answer;
  try {
    const body = JSON.stringify({ queries, several });
    const response = await stub.fetch("http://d1/", { method: "POST", body });
    if (!response.ok) throw new Error(await response.text());
    answer = await response.json();
  } catch (error) {
    throw failure("D1_ERROR", error.message);
  }
  if (answer.error !== undefined) throw failure("D1_ERROR", answer.error);
  return answer;
}

function failure(kind, message) {
  return new Error(`${kind}: ${message}`, { cause: new Error(message) });
}

/** A result with its rows as objects. */
function objects({ results: { columns, rows }, ...rest }) {
  const named = (row) => Object.fromEntries(row.map((cell, index) => [columns[index], cell]));
  return { ...rest, results: rows.map(named) };
}

/** What is asked through it sees what was asked through it before, wherever that was answered; here it always does. */
export class D1DatabaseSession {
  #stub;
  #bookmark = null;

  constructor(stub, bookmark) {
    this.#stub = stub;
    if (!BOOKMARKLESS.includes(bookmark)) this.#bookmark = bookmark;
  }

  prepare(sql) {
    return new D1PreparedStatement((queries) => this.#run(queries), sql);
  }

  async batch(statements) {
    return (await this.#run(statements.map(({ statement, params }) => ({ sql: statement, params })))).map(objects);
  }

  getBookmark() {
    return this.#bookmark;
  }

  async #run(queries) {
    const { bookmark, results } = await call(this.#stub, queries, false);
    // Two queries may be under way at once.
    if (this.#bookmark === null || this.#bookmark < bookmark) this.#bookmark = bookmark;
    return results;
  }
}

export class D1Database {
  #stub;

  constructor(stub) {
    this.#stub = stub;
  }

  prepare(sql) {
    return new D1PreparedStatement((queries) => this.#run(queries), sql);
  }

  async batch(statements) {
    return (await this.#run(statements.map(({ statement, params }) => ({ sql: statement, params })))).map(objects);
  }

  /** Each line is one statement or several. */
  async exec(script) {
    const lines = String(script).trim().split("\n");
    try {
      const { results } = await call(this.#stub, lines.map((sql) => ({ sql })), true);
      return { count: results.length, duration: results.reduce((sum, { meta }) => sum + meta.duration, 0) };
    } catch (error) {
      throw failure("D1_EXEC_ERROR", `Error in line 1: ${lines[0]}: ${error.cause.message}`);
    }
  }

  withSession(bookmark) {
    const wanted = String(bookmark ?? "first-unconstrained").trim();
    if (wanted === "") throw new Error("D1_SESSION_ERROR: invalid bookmark or constraint");
    return new D1DatabaseSession(this.#stub, wanted);
  }

  async dump() {
    throw failure("D1_DUMP_ERROR", "dump() is of the first databases alone, which there are none of any more");
  }

  async #run(queries) {
    return (await call(this.#stub, queries, false)).results;
  }
}

export class D1PreparedStatement {
  #run;

  constructor(run, statement, params = []) {
    this.#run = run;
    this.statement = statement;
    this.params = params;
  }

  bind(...values) {
    return new D1PreparedStatement(this.#run, this.statement, values.map(bound));
  }

  async all() {
    return objects(await this.#one());
  }

  async run() {
    return this.all();
  }

  async first(column) {
    const { results } = await this.all();
    if (results.length === 0) return null;
    if (column === undefined) return results[0];
    if (results[0][column] === undefined) {
      throw new Error(`D1_COLUMN_NOTFOUND: Column not found (${column})`, { cause: new Error("Column not found") });
    }
    return results[0][column];
  }

  async raw(options) {
    const { columns, rows } = (await this.#one()).results;
    return options?.columnNames ? [columns, ...rows] : rows;
  }

  async #one() {
    return (await this.#run([{ sql: this.statement, params: this.params }]))[0];
  }
}

/** A value as it travels: bytes as an array of numbers. */
function bound(value) {
  switch (typeof value) {
    case "number":
    case "string":
      return value;
    case "boolean":
      return value ? 1 : 0;
    case "object":
      if (value === null) return null;
      if (Array.isArray(value) && value.every((byte) => typeof byte === "number" && byte >= 0 && byte < 256)) {
        return value;
      }
      if (value instanceof ArrayBuffer) return Array.from(new Uint8Array(value));
      if (ArrayBuffer.isView(value)) {
        return Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
      }
  }
  throw failure("D1_TYPE_ERROR", `Type '${typeof value}' not supported for value '${String(value)}'`);
}
