import { dockerFrameBytes, writeDockerFrame } from '../../src/memlogd/docker/frame.ts'

/** One frame of `docker logs`; the encoder ends the line with a newline. */
export function encodeDockerFrame(isStderr: boolean, seconds: number, nanos: number, line: Buffer): Buffer {
  const frame = Buffer.alloc(dockerFrameBytes(line.length))
  return frame.subarray(0, writeDockerFrame(frame, 0, isStderr, seconds, nanos, line, 0, line.length))
}

/** One frame of dockerd's: a line without its newline. */
export function dockerdFrame(isStderr: boolean, text: string, seconds: number): Buffer {
  const line = Buffer.from(text)
  const frame = encodeDockerFrame(isStderr, seconds, 0, line)
  // Drops the newline that the encoder adds: one byte less in the frame and in the line.
  const whole = Buffer.from(frame.subarray(0, frame.length - 1))
  whole.writeUInt32BE(whole.length - 4, 0)
  const lengthAt = whole.length - line.length - 1
  whole[lengthAt] = line.length
  return whole
}
