import ts from "typescript";

/** A text in the source that a user may read, with `…` for each part that is filled in at run time. */
export interface Message {
  readonly text: string;
  readonly file: string;
  readonly line: number;
}

/**
 * The sentences of a file that tell why something went wrong or was left alone: every text of three words or more, but for
 * what the log says in passing, names of operations, examples, and what says itself what to do: advice, and the rows of a
 * check. A text that is put
 * together is taken as a whole; what is in its middle is not looked at by itself.
 */
export function messagesIn(source: ts.SourceFile): readonly Message[] {
  const found: Message[] = [];
  const visit = (node: ts.Node): void => {
    if (isAside(node, source)) return;
    const text = textOf(node);
    if (text === undefined) {
      ts.forEachChild(node, visit);
    } else if (isSentence(text) && !gerund.test(text)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      found.push({ text, file: source.fileName, line: line + 1 });
    }
  };
  visit(source);
  return found;
}

/** Names of operations, as they follow the host in a failure: "reading the manifest v2.15.2". */
const gerund = /^[a-z]+ing (the|its|a|an|how) /;

/** Calls of which no argument is a message about a failure. */
const asides =
  /(^|\.)(info|debug|group|join|test|exec|includes|startsWith|endsWith|replaceAll?|split|RegExp)$/;
const namesOfAsides = /advice|finding|remedy|operation|example|title|header|userAgent/i;

/** Whether nothing in a node is a message: not even what is deep inside it. */
function isAside(node: ts.Node, source: ts.SourceFile): boolean {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || ts.isTypeNode(node)) return true;
  if (ts.isCallExpression(node) || ts.isNewExpression(node))
    return asides.test(node.expression.getText(source));
  if (ts.isPropertyAssignment(node) || ts.isVariableDeclaration(node) || ts.isFunctionDeclaration(node)) {
    return namesOfAsides.test(node.name?.getText(source) ?? "");
  }
  return false;
}

/** The text that an expression is, if it is one; each part that cannot be told is an ellipsis. */
function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return [node.head.text, ...node.templateSpans.map(({ literal }) => `…${literal.text}`)].join("");
  }
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.PlusToken) return undefined;
  const [left, right] = [textOf(node.left), textOf(node.right)];
  return left === undefined && right === undefined ? undefined : `${left ?? "…"}${right ?? "…"}`;
}

/** Fewer words are names and values, not something a person would look up. */
function isSentence(text: string): boolean {
  return (text.match(/[A-Za-z]{2,}/g) ?? []).length >= 3 && text.includes(" ");
}
