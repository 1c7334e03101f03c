import { greet } from "sample-greeting";

export const page = `<h1>Front end 1</h1> <p>${greet("Node.js")}</p>`;
