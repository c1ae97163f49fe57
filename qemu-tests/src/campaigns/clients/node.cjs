// node-redis and ioredis with their defaults. Exits with 77 if the one that is asked for is not installed.
"use strict";

const [port, name] = process.argv.slice(2);
let module_;
try {
  module_ = require(name === "node-redis" ? "redis" : name);
} catch (error) {
  console.log(error.message.split("\n")[0]);
  process.exit(77);
}

const key = `clients:${name}`;
let calls = 0, errors = 0, acknowledged = 0, unsure = 0, isEnding = false;
process.stdin.on("data", () => { isEnding = true; });

function makeClient() {
  const client = name === "ioredis"
    ? new module_(Number(port))
    : module_.createClient({ url: `redis://127.0.0.1:${port}` });
  client.on("error", (error) => {
    errors += 1;
    console.log("error", error.message);
  });
  return client;
}

async function attempt(count, act) {
  calls += Math.max(count, 1);
  try {
    await act();
    acknowledged += count;
  } catch (error) {
    errors += 1;
    unsure += count;
    console.log("error", error.message);
  }
}

function increases(multi) {
  for (let call = 0; call < 10; call += 1) multi.incr(key);
  return multi;
}

// node-redis resolves to the replies, ioredis to pairs of an error and a reply.
function check(replies) {
  const numbers = replies.map((reply) => (Array.isArray(reply) ? reply[1] : reply));
  const isRow = numbers.length === 10 && numbers.every((number, at) => number === numbers[0] + at);
  if (!isRow) throw new Error(`no ten numbers in a row: ${replies}`);
}

(async () => {
  const clients = [0, 1, 2, 3].map(makeClient);
  const client = clients[0];
  if (name === "node-redis") await Promise.all(clients.map((one) => one.connect()));
  await client.del(key);
  while (!isEnding) {
    for (let call = 0; call < 10; call += 1) await attempt(1, () => client.incr(key));
    // What is not awaited one by one is sent in one go.
    await Promise.all([...Array(10)].map(() => attempt(1, () => client.incr(key))));
    await attempt(10, async () => check(await increases(client.multi()).exec()));
    await attempt(0, async () => {
      const value = `v${calls}`;
      await client.set(`${key}:value`, value);
      const found = await client.get(`${key}:value`);
      if (found !== value) throw new Error(`${found} instead of ${value}`);
    });
    const pooled = async (one) => {
      for (let call = 0; call < 5; call += 1) await attempt(1, () => one.incr(key));
    };
    await Promise.all(clients.map(pooled));
    console.log("round");
  }
  const found = Number(await client.get(key));
  errors += found > acknowledged + unsure ? 1 : 0;
  console.log(JSON.stringify({ calls, errors, lost: Math.max(0, acknowledged - found) }));
  process.exit(0);
})();
