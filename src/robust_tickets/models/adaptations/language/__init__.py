"""Language models: Hugging Face's encoders, each under the head that its task asks for.

| file | noun |
|---|---|
| `head.py` | what an encoder gets to label texts, words or spans, or to guess hidden words: its settings |
| `text_heads.py` | the four kinds of head: what each is called, what comes out of it, and what that means |
| `body.py` | a Hugging Face model as a body: the same layers under the same names, one mapping as its argument |
| `building.py` | Hugging Face's classes around an encoder: a new model, a new head on an old encoder |
| `configuration.py` | Hugging Face's `config.json`, read and written without anything that names code |
| `library.py` | the library transformers, loaded on first use, and which of its models are supported |
"""
