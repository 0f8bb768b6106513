// Says that the server is away when it is. Nothing else is kept or answered from here: no page, no name, no picture.

const SHELL = "shell-2";
const PAGE = "/static/offline/page.html";
const FILES = [PAGE, "/static/offline/page.css", "/static/offline/page.js", "/static/offline/words.js", "/static/favicon.svg"];

self.addEventListener("install", (event) => {
  event.waitUntil(keep().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") event.respondWith(fetch(request).catch(() => kept(PAGE)));
  else if (FILES.includes(new URL(request.url).pathname)) event.respondWith(fetch(request).catch(() => kept(request)));
});

async function keep() {
  const shell = await caches.open(SHELL);
  await shell.addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
}

async function forgetOthers() {
  for (const name of await caches.keys()) if (name !== SHELL) await caches.delete(name);
}

async function kept(request) {
  return (await caches.match(request)) ?? Response.error();
}
