// What was found, for other programs: a table and JSON. No document.

const COLUMNS = ["file", "face", "x", "y", "width", "height", "identity", "name", "probability", "quality", "metres"];
const MOST = 0.99; // nothing that is read off pictures is certain

/** A table with a line for each face; boxes in pixels. */
export function asCsv(photos) {
  const rows = photos.flatMap((photo) =>
    photo.faces.map((face, index) => {
      const [x, y, width, height] = face.box.map((part, at) => (part * (at % 2 ? photo.height : photo.width)).toFixed(1));
      const probability = face.name === null ? "" : Math.min(face.probability, MOST).toFixed(3);
      return [photo.file, index, x, y, width, height, face.identity, face.name ?? "", probability, face.quality?.overall ?? "", face.distance?.m ?? ""];
    }),
  );
  return [COLUMNS, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** Everything the server said. */
export const asJson = (photos) => JSON.stringify(photos, null, 1);

/** A cell nothing in which can be taken for a formula, as table programs take what begins like one. */
function cell(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) && !/^-?\d/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
