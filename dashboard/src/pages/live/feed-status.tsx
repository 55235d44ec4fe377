/** Where the feed comes from, and how much. What a screen reader hears of it is a summary now and then. */

import { Badge, Group, Text, Tooltip, VisuallyHidden } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { tally } from "./attempts";
import type { FeedState } from "./connection";
import type { Feed } from "./use-feed";

const MODES: Record<FeedState["mode"], { word: string; colour: string; means: string }> = {
  connecting: { word: "Connecting", colour: "gray", means: "Opening the live connection." },
  live: { word: "Live", colour: "teal", means: "Attempts come as they happen, over a WebSocket." },
  polling: {
    word: "Polling",
    colour: "blue",
    means: "Attempts are looked up every three seconds.",
  },
  resting: { word: "Resting", colour: "gray", means: "Nobody looks, so nothing is asked." },
};

/** How often a screen reader is told. */
const SUMMARY_MS = 10_000;

export function FeedStatus({ feed }: { feed: Feed }) {
  const mode = MODES[feed.state.mode];
  const counts = tally(feed.rows);
  return (
    <Group gap="xs" data-feed-mode={feed.state.mode}>
      <Tooltip label={`${mode.means} ${feed.state.why}`.trim()} multiline maw={280}>
        <Badge color={mode.colour} variant="dot" size="lg" tabIndex={0}>
          {mode.word}
        </Badge>
      </Tooltip>
      {feed.state.why && (
        <Text size="sm" c="dimmed">
          {feed.state.why}
        </Text>
      )}
      <Text size="sm" aria-hidden>
        {feed.perSecond.toFixed(1)} a second
      </Text>
      {feed.leftOut > 0 && (
        <Text size="sm" c="dimmed">
          {feed.leftOut} more were too many to show
        </Text>
      )}
      <Summary
        text={`${mode.word}. ${counts.delivered} delivered, ${counts.retrying} will retry, ${counts.dead} dead.`}
      />
    </Group>
  );
}

/** Said politely, and not each time a row comes. */
function Summary({ text }: { text: string }) {
  const latest = useRef(text);
  latest.current = text;
  const [said, setSaid] = useState("");
  useEffect(() => {
    const timer = setInterval(() => setSaid(latest.current), SUMMARY_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <VisuallyHidden role="status" aria-live="polite">
      {said}
    </VisuallyHidden>
  );
}
