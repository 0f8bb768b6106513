// A worker between the encoder and the network: it passes every frame on and tells its RTP timestamp and capture time.

onrtctransform = ({ transformer }) => {
  const tell = new TransformStream({
    transform(frame, controller) {
      const facts = frame.getMetadata();
      if (facts.rtpTimestamp !== undefined && facts.captureTime !== undefined) {
        postMessage({ rtp: facts.rtpTimestamp, captured: facts.captureTime });
      }
      controller.enqueue(frame);
    },
  });
  transformer.readable.pipeThrough(tell).pipeTo(transformer.writable);
};
