import { dockerFrameBytes, writeDockerFrame } from '../../src/memlogd/docker/frame.ts'

/** One frame of `docker logs`; the encoder ends the line with a newline. */
export function encodeDockerFrame(isStderr: boolean, seconds: number, nanos: number, line: Buffer): Buffer {
  const frame = Buffer.alloc(dockerFrameBytes(line.length))
  return frame.subarray(0, writeDockerFrame(frame, 0, isStderr, seconds, nanos, line, 0, line.length))
}
