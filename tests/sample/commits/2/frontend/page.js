import { greet } from "sample-greeting";
import { sign } from "sample-signature";

export const page =
  `<h1>Front end 2</h1> <p>${greet("Node.js")} ${sign("npm")}</p>`;
