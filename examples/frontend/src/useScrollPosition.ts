import { useLayoutEffect, useRef } from 'react';

/** Keeps how far a page is scrolled while another is shown in its place. */
export function useScrollPosition() {
  const position = useRef(0);
  useLayoutEffect(() => {
    scrollTo(0, position.current);
    return () => {
      position.current = scrollY;
    };
  }, []);
}
