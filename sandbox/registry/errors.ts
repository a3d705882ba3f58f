/** Errors in the form of the distribution specification, "Error Codes". */
import type { OutgoingHttpHeaders } from "node:http";
import { type Answer, json } from "../server.ts";

/** An answer that a handler gives up with. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(`refused with status ${answer.status}`);
    this.answer = answer;
  }
}

/** An error answer: `{"errors":[{"code","message","detail"}]}`. */
export function errorAnswer(
  status: number,
  code: string,
  message: string,
  detail: unknown = null,
  headers: OutgoingHttpHeaders = {},
): Answer {
  return json(status, { errors: [{ code, message, detail }] }, headers);
}

/** The same, to be thrown. */
export function refusal(status: number, code: string, message: string, detail: unknown = null): Refusal {
  return new Refusal(errorAnswer(status, code, message, detail));
}
