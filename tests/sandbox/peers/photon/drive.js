// Drive a simulated Mac with the SDK of Photon, and print what it made of it as one line of JSON.
//
// The SDK puts its key into a header, which a real BlueBubbles server does not read, and knows no path before `/api`: a proxy
// that rewrites both stands between the two. It never connects to socket.io, which the sandbox does not speak.

import http from "node:http";
import { createHash } from "node:crypto";
import { SDK } from "@photon-ai/advanced-imessage-kit";

const [url, password, person, picture, document] = process.argv.slice(2);
const mac = new URL(url);

const proxy = http.createServer((asked, answer) => {
  const path = new URL(asked.url, url);
  path.searchParams.set("password", asked.headers["x-api-key"]);
  const target = { host: mac.hostname, port: mac.port, method: asked.method, path: mac.pathname + path.pathname + path.search };
  const passed = http.request({ ...target, headers: { ...asked.headers, host: mac.host } }, (said) => {
    answer.writeHead(said.statusCode, said.headers);
    said.pipe(answer);
  });
  asked.pipe(passed);
});
await new Promise((listening) => proxy.listen(0, "127.0.0.1", listening));

const digest = (content) => createHash("sha256").update(content).digest("hex");
const sdk = SDK({ serverUrl: `http://127.0.0.1:${proxy.address().port}`, apiKey: password, logLevel: "error" });
const chatGuid = `iMessage;-;${person}`;
const told = {};

told.info = (await sdk.server.getServerInfo()).server_version;
told.available = await sdk.handles.getHandleAvailability(person, "imessage");
told.stranger = await sdk.messages
  .sendMultipartMessage({ chatGuid, parts: [{ text: "Too soon" }] })
  .then(() => "sent", (error) => error.message);
await sdk.chats.createChat({ addresses: [person], message: "Hello from a stranger", method: "private-api" });
told.text = (await sdk.messages.sendMessage({ chatGuid, message: "A text", method: "private-api" })).guid;
told.file = (await sdk.attachments.sendAttachment({ chatGuid, filePath: picture })).guid;
told.several = (await sdk.messages.sendMultipartMessage({
  chatGuid,
  parts: [{ filePath: picture }, { filePath: document, fileName: "the plan.pdf" }, { text: "Both" }],
})).guid;
await sdk.chats.startTyping(chatGuid);
await sdk.chats.stopTyping(chatGuid);

const rows = await sdk.messages.getMessages({ chatGuid, with: ["attachments"], sort: "ASC" });
told.rows = [];
for (const row of rows) {
  const files = [];
  for (const attachment of row.attachments) {
    const found = await sdk.attachments.getAttachment(attachment.guid);
    files.push([found.transferName, digest(await sdk.attachments.downloadAttachment(attachment.guid, { original: true }))]);
  }
  told.rows.push({ guid: row.guid, files });
}
told.count = await sdk.attachments.getAttachmentCount();

console.log(JSON.stringify(told));
process.exit(0);
