// What a Worker in JavaScript does with a list of names, in Node: node lookup.mjs NAMES QUERIES ROUNDS.
//
// `containers` says what the matcher of `@cloudflare/containers` means, in words of our own: each pattern of `deniedHosts` is
// compared in turn; one without `*` must be the host itself, and in one with `*` each `*` is any run of characters. As such a
// pattern does not meet what is beneath it, each name is given twice: `name` and `*.name`.

import { readFileSync } from "node:fs";

const [namesFile, queriesFile, rounds] = process.argv.slice(2);
const text = readFileSync(namesFile, "utf8");
const { mix, hits, misses } = JSON.parse(readFileSync(queriesFile, "utf8"));

const lines = () => text.trimEnd().split("\n");

function meets(pattern, host) {
  if (!pattern.includes("*")) return pattern === host;
  const parts = pattern.split("*");
  const [first, last] = [parts[0], parts[parts.length - 1]];
  if (host.length < first.length + last.length || !host.startsWith(first) || !host.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = host.indexOf(part, at);
    if (found < 0 || found + part.length > host.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}

const contestants = [
  {
    name: "JS `Set`, suffix by suffix",
    exact: true,
    make: () => new Set(lines()),
    lookup: (set) => (host) => {
      for (let suffix = host; ; ) {
        if (set.has(suffix)) return true;
        const dot = suffix.indexOf(".");
        if (dot < 0) return false;
        suffix = suffix.slice(dot + 1);
      }
    },
  },
  {
    name: "`@cloudflare/containers`, re-stated",
    exact: true,
    make: () => lines().flatMap((name) => [name, `*.${name}`]),
    lookup: (patterns) => (host) => patterns.some((pattern) => meets(pattern, host)),
  },
  {
    name: "JS `some(includes)`, as published samples have it",
    exact: false,
    make: lines,
    lookup: (names) => (host) => names.some((name) => host.includes(name)),
  },
];

const spread = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  return { median: middle, least: sorted[0], most: sorted[sorted.length - 1] };
};

// What this process has had of the processors, in milliseconds.
function processor() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

function timed(run) {
  const started = processor();
  const value = run();
  return [value, processor() - started];
}

const heap = () => {
  // What one collection frees another may find behind it.
  for (let times = 0; times < 3; times += 1) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
};

for (const one of contestants) {
  const before = heap();
  const starts = [];
  let made;
  for (let round = 0; round < Math.min(rounds, 3); round += 1) {
    made = undefined;
    const [value, took] = timed(one.make);
    made = value;
    starts.push(took);
  }
  one.bytes = heap() - before;
  one.start = spread(starts);
  one.contains = one.lookup(made);
  // A batch of about 25 ms, of one host at least.
  let batch = 1;
  for (;;) {
    const [, took] = timed(() => mix.slice(0, batch).forEach(one.contains));
    if (took >= 25 || batch === mix.length) break;
    batch = Math.min(mix.length, Math.ceil(batch * Math.min(20, Math.max(1.5, 25 / Math.max(took, 0.01)))));
  }
  one.batch = batch;
  // Its answers, for whoever checks them: a few thousand, or as many as a second allows.
  const checked = Math.min(mix.length, Math.max(20, one.batch * 40));
  one.answers = mix.slice(0, checked).map((host) => (one.contains(host) ? "1" : "0")).join("");
}

for (const [kind, hosts] of Object.entries({ mix, hit: hits, miss: misses })) {
  const times = contestants.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    contestants.forEach((one, number) => {
      const batch = Math.min(one.batch, hosts.length);
      const from = (round * batch) % (hosts.length - batch + 1);
      let found = 0;
      const [, took] = timed(() => {
        for (let at = from; at < from + batch; at += 1) if (one.contains(hosts[at])) found += 1;
      });
      if (found < 0) throw new Error("never: it keeps the loop");
      times[number].push((took * 1e6) / batch);
    });
  }
  contestants.forEach((one, number) => {
    one[kind] = spread(times[number]);
  });
}

const told = contestants.map(({ name, exact, bytes, start, mix, hit, miss, answers }) => ({
  name, exact, bytes, start, mix, hit, miss, answers,
}));
process.stdout.write(JSON.stringify(told));
