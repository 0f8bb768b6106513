// What the evaluation page makes of files that were chosen, and how it follows the server.

import assert from "node:assert/strict";
import { test } from "node:test";

import { choose, chosenWords, tooMuch } from "../../static/evaluate/choice.js";
import { megabytes } from "../../static/figures.js";
import { follow, reportAt, send } from "../../static/evaluate/following.js";

const files = (...paths) => paths.map((path) => ({ path, file: { size: 1000, name: path } }));

test("folders are people, and what is no picture is not sent", () => {
  const chosen = choose(files("set/Ada/1.JPG", "set/Ada/2.png", "set/Bob/1.webp", "set/Bob/notes.txt", "set/.DS_Store", "set/Ada/4.heic", "set/Ada/5.gif"));
  assert.equal(chosen.problem, null);
  assert.deepEqual(chosen.files.map(({ path }) => path), ["set/Ada/1.JPG", "set/Ada/2.png", "set/Bob/1.webp", "set/Ada/4.heic"]);
  assert.equal(chosenWords(chosen), "4 pictures of 2 people. 3 other files will not be sent.");
});

test("a table or a ZIP says what is measured", () => {
  const table = choose(files("set/labels.csv", "set/a.jpg"));
  assert.equal(table.problem, null);
  assert.equal(chosenWords(table), "1 picture and a table of labels.");
  const zip = choose([{ path: "all.ZIP", file: { size: 3 * 2 ** 20 } }]);
  assert.equal(zip.problem, null);
  assert.equal(chosenWords(zip), "A ZIP of 3\u00a0MB.");
});

test("what cannot be measured is said before anything is sent", () => {
  const problem = (...paths) => choose(files(...paths)).problem;
  assert.match(problem("notes.txt"), /no JPEG/);
  assert.match(problem("Ada/1.jpg", "Ada/2.jpg"), /two people/);
  assert.match(problem("a.csv", "b.csv", "Ada/1.jpg"), /more than one table/);
  assert.match(problem("a.zip", "b.zip"), /One ZIP/);
  assert.match(problem("a.zip", "Ada/1.jpg"), /not both/);
});

test("what is too large is named before it is sent", () => {
  const limits = { file_bytes: 2 ** 20, archive_bytes: 3 * 2 ** 20, total_bytes: 4 * 2 ** 20, files: 5 };
  const sized = (size, path = "Ada/big.jpg") => ({ path, file: { size } });
  assert.equal(tooMuch([sized(2 ** 20)], limits), null);
  assert.equal(tooMuch([sized(2 ** 20 + 1)], limits), "big.jpg has more than 1\u00a0MB.");
  assert.equal(tooMuch([sized(2 ** 21, "a.zip")], limits), null);
  assert.match(tooMuch(Array(6).fill(sized(1)), limits), /At most 5 files/);
  assert.match(tooMuch(Array(5).fill(sized(2 ** 20)), limits), /At most 4\u00a0MB/);
  assert.equal(megabytes(10), "1\u00a0MB");
});

/** Answers requests in the order they come; remembers them. */
function server(t, answers) {
  const asked = [];
  t.mock.method(globalThis, "fetch", async (path, { method }) => {
    asked.push(`${method} ${path}`);
    const answer = answers.shift();
    if (answer === undefined) throw new TypeError("no connection");
    const [status, body] = answer;
    return new Response(status === 204 ? null : JSON.stringify(body), { status });
  });
  return asked;
}

test("it is followed until it is over, whatever the connection does", async (t) => {
  const running = (done) => [200, { state: "running", done, total: 9 }];
  server(t, [running(1), [503, {}], running(5), [200, { state: "done", done: 9, total: 9 }]]);
  const seen = [];
  const last = await follow("x", ({ done }) => seen.push(done), async () => {});
  assert.deepEqual(seen, [1, 5, 9]);
  assert.equal(last.state, "done");
  server(t, [[404, {}]]);
  assert.equal(await follow("x", () => {}, async () => {}), null);
});

test("files that the server would refuse are not sent, and nothing is left there", async (t) => {
  const limits = { file_bytes: 10, archive_bytes: 10, total_bytes: 10, files: 5 };
  const asked = server(t, [[201, { id: "x", limits }], [204]]);
  const options = { opened: () => {}, moved: () => {}, signal: new AbortController().signal };
  await assert.rejects(send(files("Ada/1.jpg"), false, options), /1.jpg has more than/);
  assert.deepEqual(asked, ["POST /api/v1/evaluations", "DELETE /api/v1/evaluations/x"]);
});

test("the report has an address of its own", () => {
  assert.equal(reportAt("x", "html"), "/api/v1/evaluations/x/report.html");
  assert.equal(reportAt("x", "zip", true), "/api/v1/evaluations/x/report.zip?download");
});
