/** What to do about dead letters that failed so, in a sentence. */
export function advice(failure: string): string {
  const status = /^http_(\d)(\d\d)$/.exec(failure);
  if (status) {
    switch (Number(failure.slice(5))) {
      case 401:
      case 403:
        return "The receiver refuses us: check its secret, and the endpoint's auth and headers, then replay.";
      case 404:
        return "Nothing is at this URL: correct the endpoint's URL, then replay.";
      case 408:
      case 504:
        return "The receiver took too long: let it answer first and work later, then replay.";
      case 410:
        return "The receiver is gone for good, and its endpoint was disabled: ask for the new URL, or delete these.";
      case 413:
        return "The payload is too large for the receiver: raise its limit, or send less by a template, then replay.";
      case 429:
        return "The receiver was asked too often: set the endpoint's rate limit, then replay at that rate.";
    }
    switch (status[1]) {
      case "3":
        return "The URL redirects, which is not followed: put the new URL into the endpoint, then replay.";
      case "4":
        return "The receiver refuses the request: read its answer, mend what it says, then replay.";
      default:
        return "The receiver fails: wait until it is well again, then replay slowly.";
    }
  }
  switch (failure) {
    case "timeout":
      return "No answer in time: let the receiver answer first and work later, or raise the endpoint's time-out, then replay.";
    case "dns":
      return "The host has no address: correct the endpoint's URL, or mend its DNS, then replay.";
    case "connect":
      return "Nothing listens there: bring the receiver up, or open its firewall to us, then replay.";
    case "tls":
      return "Its certificate is not valid for its name: have it renewed, then replay.";
    case "reset":
    case "protocol":
      return "The connection broke: look at the receiver's proxy or load balancer, then replay.";
    case "refused_address":
      return "The host leads to a private address, where no webhook may go: correct the URL, or allow it in the deployment.";
    case "template":
      return "The endpoint's template needs what these events do not have: correct it, then replay.";
    case "expired":
      return "They waited too long behind an open breaker: close it once the receiver is well, then replay.";
    case "endpoint_disabled":
      return "Their endpoint was disabled: enable it, then replay.";
    case "event_missing":
      return "Their events are no longer stored: nothing can be sent any more. Delete or resolve them.";
    default:
      return "Read the last answer, mend what it says, then replay.";
  }
}
