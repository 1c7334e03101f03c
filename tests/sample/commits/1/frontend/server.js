// npm run dev -- --host ADDRESS --port NUMBER
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { page } from "./page.js";

const { values } = parseArgs({
  options: { host: { type: "string" }, port: { type: "string" } },
});

createServer((request, response) => {
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end(page + "\n");
}).listen(Number(values.port), values.host);
