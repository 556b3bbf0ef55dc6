// The request on screen as text: curl, Python over HTTP, Python without a server, JavaScript.

const shell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
const json = (value) => JSON.stringify(value);
const python = (value) => (value === true ? "True" : value === false ? "False" : value === null ? "None" : json(value));

// question: {task, address, pictures: [[field, file name]], options: {name: value}, picture: bool, key: bool, loading: {name: value}}
export function snippets(question) {
  return [
    { id: "curl", label: "curl", code: curl(question) },
    { id: "python", label: "Python", code: pythonHttp(question) },
    { id: "local", label: "Python, no server", code: pythonLocal(question) },
    { id: "javascript", label: "JavaScript", code: javascript(question) },
  ];
}

function curl({ address, pictures, options, picture, key }) {
  const parts = [`curl -sS ${shell(address)}`];
  if (key) parts.push(`-H "X-API-Key: $SIGHTLINE_API_KEY"`);
  if (picture) parts.push("-H 'Accept: image/png' -o answer.png");
  for (const [field, file] of pictures) parts.push(`-F ${shell(`${field}=@${file}`)}`);
  // --form-string: a value that begins with @ or < stays a value.
  for (const [name, value] of Object.entries(options)) parts.push(`--form-string ${shell(`${name}=${value}`)}`);
  return parts.join(" \\\n  ");
}

function pythonHttp({ address, pictures, options, picture, key }) {
  const lines = [key && "import os\n", "import httpx\n", "reply = httpx.post(", `    ${json(address)},`];
  if (key || picture) {
    const headers = [key && `"X-API-Key": os.environ["SIGHTLINE_API_KEY"]`, picture && `"Accept": "image/png"`].filter(
      Boolean,
    );
    lines.push(`    headers={${headers.join(", ")}},`);
  }
  lines.push(
    "    files={",
    ...pictures.map(([field, file]) => `        ${json(field)}: open(${json(file)}, "rb"),`),
    "    },",
  );
  const data = Object.entries(options).map(
    ([name, value]) => `${json(name)}: ${json(typeof value === "boolean" ? String(value) : value)}`,
  );
  if (data.length) lines.push(`    data={${data.join(", ")}},`);
  lines.push("    timeout=60,", ")", "reply.raise_for_status()");
  if (picture) lines.push(`open("answer.png", "wb").write(reply.content)`);
  else lines.push("print(reply.json())");
  return lines.filter(Boolean).join("\n");
}

function pythonLocal({ task, pictures, options, picture }) {
  const positional = pictures.filter(([field]) => field !== "background").map(([, file]) => json(file));
  const named = pictures.filter(([field]) => field === "background").map(([field, file]) => `${field}=${json(file)}`);
  const given = [
    ...positional,
    ...named,
    ...Object.entries(options).map(([name, value]) => `${name}=${python(value)}`),
  ];
  const lines = [
    "import sightline\n",
    `${task} = sightline.load(${json(task)})`,
    `result = ${task}(${given.join(", ")})`,
  ];
  lines.push(picture ? `result.draw(${positional[0]}).save("answer.png")` : "print(result.to_dict())");
  return lines.join("\n");
}

function javascript({ address, pictures, options, picture, key }) {
  const lines = [`// Node 20; in a page, append files from an <input type="file"> instead`];
  lines.push(`import { openAsBlob } from "node:fs";`);
  if (picture) lines.push(`import { writeFile } from "node:fs/promises";`);
  lines.push("\nconst form = new FormData();");
  for (const [field, file] of pictures)
    lines.push(`form.append(${json(field)}, await openAsBlob(${json(file)}), ${json(file)});`);
  for (const [name, value] of Object.entries(options))
    lines.push(`form.append(${json(name)}, ${json(String(value))});`);
  lines.push("", `const reply = await fetch(${json(address)}, {`, `  method: "POST",`);
  const headers = [key && `"X-API-Key": process.env.SIGHTLINE_API_KEY`, picture && `Accept: "image/png"`].filter(
    Boolean,
  );
  if (headers.length) lines.push(`  headers: { ${headers.join(", ")} },`);
  lines.push("  body: form,", "});", "if (!reply.ok) throw new Error((await reply.json()).error.message);");
  lines.push(
    picture
      ? `await writeFile("answer.png", Buffer.from(await reply.arrayBuffer()));`
      : "console.log(await reply.json());",
  );
  return lines.join("\n");
}

// Text cut into [kind, text] for colouring: strings and comments are enough to guide the eye.
export function tokens(code) {
  const pattern =
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|((?:^|(?<=\s))\/\/[^\n]*)|\b(import|from|const|await|new|throw|if|print|open|curl|return|None|True|False)\b/g;
  const result = [];
  let at = 0;
  for (const match of code.matchAll(pattern)) {
    if (match.index > at) result.push(["", code.slice(at, match.index)]);
    result.push([match[1] ? "string" : match[2] ? "comment" : "keyword", match[0]]);
    at = match.index + match[0].length;
  }
  if (at < code.length) result.push(["", code.slice(at)]);
  return result;
}
