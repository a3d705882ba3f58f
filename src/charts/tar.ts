import { BodyError } from "../http/http.ts";

/** A file in a tar. */
export interface TarFile {
  readonly name: string;
  readonly modified: Date;
  readonly content: Buffer;
}

export interface TarOptions {
  /** Whether the content of a file is wanted, by its name. That of others is passed over. */
  readonly isRead: (name: string) => boolean;
  /** Most bytes of a file, read or not. */
  readonly fileLimit: number;
}

const blockSize = 512;
/** Most bytes of a header that is a file of its own, for a long name: as Go's reader has it. */
const headerLimit = 1024 * 1024;
/** The last second that RFC 3339 can write. */
const lastSecond = 253_402_300_799;

/** What a header of its own says of the file after it. */
interface Extension {
  readonly path?: string | undefined;
  readonly size?: number | undefined;
  readonly modified?: number | undefined;
}

/**
 * The files of a tar in its order, without folders: USTAR, with the headers of pax and GNU for long names.
 * https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06
 * @throws BodyError (from the iteration) when it is no tar, or has a file above the limit.
 */
export async function* tarFiles(
  chunks: AsyncIterable<Buffer>,
  { isRead, fileLimit }: TarOptions,
): AsyncGenerator<TarFile> {
  const bytes = reader(chunks);
  let extension: Extension = {};
  for (;;) {
    const header = await bytes.take(blockSize);
    if (header.length === 0 || header.every((byte) => byte === 0)) return;
    if (header.length < blockSize || !hasChecksum(header))
      throw new BodyError("the archive holds no tar, or a broken one");
    const type = String.fromCharCode(header[156] ?? 0);
    const size = extension.size ?? numberIn(header, 124);
    if (!Number.isSafeInteger(size) || size < 0) throw new BodyError("the archive has a file without a size");
    if ("xgLK".includes(type)) {
      if (size > headerLimit) throw new BodyError(`the archive has a header of ${size} bytes`);
      const content = await contentOf(size);
      if (type === "x") extension = { ...extension, ...paxExtension(content) };
      if (type === "L") extension = { ...extension, path: textIn(content, 0, content.length) };
      continue;
    }
    const name = extension.path ?? nameIn(header);
    const modified = extension.modified ?? numberIn(header, 136);
    extension = {};
    if (type === "5" || name.endsWith("/")) continue;
    // Links and devices have no content, whatever their size says.
    const length = "12346".includes(type) ? 0 : size;
    if (length > fileLimit)
      throw new BodyError(
        `the archive has a file of ${length} bytes, and Helm loads none above ${fileLimit}`,
      );
    const content = isRead(name) ? await contentOf(length) : await bytes.skip(padded(length));
    yield { name, modified: dateOf(modified), content };
  }

  async function contentOf(size: number): Promise<Buffer> {
    return (await bytes.take(padded(size))).subarray(0, size);
  }
}

interface Reader {
  /** So many bytes; fewer at the end. */
  take(size: number): Promise<Buffer>;
  /** Passes over so many bytes. @returns nothing of them. */
  skip(size: number): Promise<Buffer>;
}

function reader(chunks: AsyncIterable<Buffer>): Reader {
  const iterator = chunks[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  const more = async (): Promise<Buffer | undefined> => {
    const { done, value } = await iterator.next();
    return done === true ? undefined : value;
  };
  return {
    async take(size) {
      const parts = [rest];
      let length = rest.length;
      while (length < size) {
        const chunk = await more();
        if (chunk === undefined) break;
        parts.push(chunk);
        length += chunk.length;
      }
      const all = parts.length === 1 ? rest : Buffer.concat(parts);
      rest = all.subarray(size);
      return all.subarray(0, size);
    },
    async skip(size) {
      let left = size;
      while (left > rest.length) {
        left -= rest.length;
        const chunk = await more();
        rest = chunk ?? Buffer.alloc(0);
        if (chunk === undefined) throw new BodyError("the archive ends in the middle of a file");
      }
      rest = rest.subarray(left);
      return Buffer.alloc(0);
    },
  };
}

function padded(size: number): number {
  return Math.ceil(size / blockSize) * blockSize;
}

/** The sum of all bytes, those of the sum itself as blanks. */
function hasChecksum(header: Buffer): boolean {
  const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
  return sum === numberIn(header, 148, 8);
}

/** Octal digits, or, as GNU has it, a large number in binary. */
function numberIn(header: Buffer, at: number, length = 12): number {
  const field = header.subarray(at, at + length);
  if (((field[0] ?? 0) & 0x80) === 0) return Number.parseInt(`0${textIn(field, 0, length).trim()}`, 8);
  return field.reduce((total, byte, index) => total * 256 + (index === 0 ? byte & 0x7f : byte), 0);
}

function nameIn(header: Buffer): string {
  const name = textIn(header, 0, 100);
  const isPosix = header.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isPosix ? textIn(header, 345, 155) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

function textIn(bytes: Buffer, at: number, length: number): string {
  const field = bytes.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? length : end);
}

/** Records of the form `length key=value\n`. */
function paxExtension(content: Buffer): Extension {
  let extension: Extension = {};
  for (let at = 0; at < content.length; ) {
    const [, digits = ""] = /^([0-9]{1,10}) /.exec(content.toString("latin1", at, at + 12)) ?? [];
    const length = Number(digits);
    const record = content.toString("utf8", at + digits.length + 1, at + length - 1);
    const equals = record.indexOf("=");
    if (digits === "" || length <= digits.length || at + length > content.length || equals < 0)
      throw new BodyError("the archive has a broken header");
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === "path") extension = { ...extension, path: value };
    if (key === "size") extension = { ...extension, size: Number(value) };
    if (key === "mtime") extension = { ...extension, modified: Number(value) };
    at += length;
  }
  return extension;
}

/** The beginning of the epoch where the date is none. */
function dateOf(seconds: number): Date {
  return new Date(seconds >= 0 && seconds <= lastSecond ? seconds * 1000 : 0);
}
