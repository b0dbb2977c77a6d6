"""``nstjax web``: a page on this machine to paint on, made with gradio."""
