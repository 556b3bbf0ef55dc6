// One frame from a camera, as a JPEG file. Nothing is sent until a photo is taken.

const byId = (id) => document.getElementById(id);

const REASONS = {
  NotAllowedError: "The browser or the person did not allow the camera.",
  NotFoundError: "No camera was found on this device.",
  NotReadableError: "The camera is in use by another program.",
};

// Resolves to a File, or null when the dialog was closed without a photo.
export function takePhoto() {
  const dialog = byId("camera-dialog");
  const video = byId("camera-video");
  const error = byId("camera-error");
  const take = byId("camera-take");
  const flip = byId("camera-flip");
  const opener = document.activeElement;
  let stream = null;
  let facing = "user";

  const stop = () => stream?.getTracks().forEach((track) => track.stop());

  const start = async () => {
    stop();
    take.disabled = true;
    error.hidden = true;
    try {
      // Browsers hide mediaDevices on plain http, except on localhost.
      if (!navigator.mediaDevices) throw new Error("The camera needs https, or localhost.");
      const opened = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: facing, width: { ideal: 1920 }, height: { ideal: 1080 } },
      });
      if (!dialog.open) return opened.getTracks().forEach((track) => track.stop()); // closed while asking
      stream = opened;
      video.srcObject = stream;
      await video.play();
      take.disabled = false;
      take.focus();
      const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(
        (device) => device.kind === "videoinput",
      );
      flip.hidden = cameras.length < 2;
    } catch (reason) {
      error.textContent = REASONS[reason.name] ?? reason.message;
      error.hidden = false;
    }
    return undefined;
  };

  return new Promise((resolve) => {
    let photo = null;
    take.onclick = () => {
      const canvas = document.createElement("canvas");
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      canvas.getContext("2d").drawImage(video, 0, 0);
      canvas.toBlob(
        (blob) => {
          photo = new File([blob], "camera.jpg", { type: "image/jpeg" });
          dialog.close();
        },
        "image/jpeg",
        0.92,
      );
    };
    flip.onclick = () => {
      facing = facing === "user" ? "environment" : "user";
      start();
    };
    byId("camera-close").onclick = () => dialog.close();
    dialog.addEventListener(
      "close",
      () => {
        stop();
        video.srcObject = null;
        opener?.focus?.();
        resolve(photo);
      },
      { once: true },
    );
    dialog.showModal();
    start();
  });
}
