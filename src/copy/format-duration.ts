/** A duration in milliseconds for people: `0.4 s`, `41.2 s`, `3 min 12 s`, `1 h 4 min`. */
export function formatDuration(milliseconds: number): string {
  // Below a minute a tenth of a second tells images apart; 59.95 s must not become "60.0 s".
  if (milliseconds < 59_950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
