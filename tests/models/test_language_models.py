"""Language models as sources: folders of transformers, models of the Hub and from Python, saved and read back."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import robust_tickets as rt
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.language.head import LanguageHead
from robust_tickets.models.adaptations.language.library import ENCODERS
from robust_tickets.models.adaptations.language.text_heads import HeadKind
from robust_tickets.models.families import hub_snapshots
from robust_tickets.models.folders import FACTS, load_folder, save_source
from robust_tickets.models.identity import SourceIdentity
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source
from robust_tickets.models.tokens import Tokens
from robust_tickets.ticket.ticket import Ticket
from tests.language import (
    COUNTED,
    HEADS,
    QUERY,
    SIZES,
    altered,
    body_of,
    changed_json,
    inputs_of,
    language_folder,
    language_model,
    rehead,
    same,
    tokenizer_of,
    tokens_of,
)

KINDS: tuple[HeadKind, ...] = ("sequence", "token", "span", "masked")


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return language_folder(tmp_path / "bert", "bert", "sequence", num_labels=3)


@pytest.mark.parametrize("head", KINDS)
@pytest.mark.parametrize("kind", ENCODERS)
@torch.no_grad()
def test_a_folder_of_transformers_gives_its_logits_to_the_last_bit(kind: str, head: HeadKind, tmp_path: Path) -> None:
    labels = {"num_labels": 3} if head in ("sequence", "token") else {}
    folder = language_folder(tmp_path, kind, head, **labels)
    source = load_source(folder)
    assert source.identity.name == f"hf/{kind}"
    assert source.identity.adaptation == LanguageHead(head=head)
    assert source.network.num_classes == {"span": 2, "masked": 32}.get(head, 3)
    assert not source.network.headless
    theirs = getattr(transformers, HEADS[head]).from_pretrained(folder).eval()
    inputs = inputs_of(source)
    expected = theirs(**inputs)
    ours = source.network.eval()(inputs)
    if head == "span":
        assert torch.equal(ours[..., 0], expected.start_logits)
        assert torch.equal(ours[..., 1], expected.end_logits)
    else:
        assert torch.equal(ours, expected.logits)
    own = source.network.body.state_dict()
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(own[name], tensor)
    assert all(".pooler." in name for name in own.keys() - theirs.state_dict().keys())


@pytest.mark.parametrize("kind", ENCODERS)
@torch.no_grad()
def test_an_encoder_without_a_head_labels_texts_once_it_has_one(kind: str, tmp_path: Path) -> None:
    source = load_source(language_folder(tmp_path, kind, "none"))
    assert source.network.headless
    assert f"head: the weights came without {source.network.head}; it is random" in source.identity.notes[0]
    theirs = transformers.AutoModel.from_pretrained(tmp_path).eval()
    inputs = inputs_of(source)
    ours = body_of(source.network).eval().encoder(**inputs)
    assert torch.equal(ours.last_hidden_state, theirs(**inputs).last_hidden_state)
    with pytest.raises(UserError, match="came without a head"):
        source.network.require_head("predict")


@pytest.mark.parametrize("kind", ENCODERS)
def test_what_goes_in_is_what_the_folder_says(kind: str, tmp_path: Path) -> None:
    source = load_source(language_folder(tmp_path, kind, "masked"))
    tokens = tokens_of(source.network)
    counted = kind in COUNTED
    assert tokens.length == (38 if counted else 40)
    assert (tokens.vocabulary, tokens.pad, tokens.mask) == (32, int(counted), 4)
    types = kind in ("bert", "electra", "albert")
    assert tokens.inputs == ("input_ids", "attention_mask", *(("token_type_ids",) if types else ()))
    # The longest text that is allowed goes through.
    whole = {name: torch.full((1, tokens.length), 7 if name == "input_ids" else 1) for name in tokens.inputs}
    assert source.network.eval()(whole).shape == (1, tokens.length, 32)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    (encoding,) = tokens.tokenizer.encode(["the red dog"], tokens.length)
    assert encoding.ids == theirs("the red dog")["input_ids"]


@pytest.mark.parametrize("head", ["sequence", "masked", "span"])
def test_a_saved_language_model_is_read_back_bit_for_bit_without_its_origin(head: HeadKind, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    source = load_source(language_folder(origin, "electra", head))
    written = save_source(source.network, source.identity, tmp_path / "saved")
    for file in origin.iterdir():
        file.unlink()
    network, identity = load_folder(tmp_path / "saved")
    assert identity == written
    assert same(network.plain_state(), source.network.plain_state())
    assert network.interface == source.network.interface
    inputs = inputs_of(source)
    assert torch.equal(network.eval()(inputs), source.network.eval()(inputs))
    again = load_source(tmp_path / "saved")
    assert again.identity.digest == source.identity.digest
    assert again.identity.description[:2] == source.identity.description[:2]
    assert tokens_of(again.network).tokenizer.content == tokens_of(source.network).tokenizer.content


def test_the_tokenizer_travels_with_a_ticket(bert: Path, tmp_path: Path) -> None:
    source = load_source(bert)
    masks = {name: source.network.body.get_parameter(name) > 0 for name in prunable_weights(source.network)}
    recipe = {"source": source.settings.model_dump(mode="json"), "draw": {"sparsity": 0.5}}
    ticket = Ticket(masks, tuple(masks), source.identity, recipe=recipe)
    ticket.save(tmp_path / "ticket")
    loaded = Ticket.load(tmp_path / "ticket")
    assert loaded.digest == ticket.digest
    interface = loaded.source.preprocessing
    assert isinstance(interface, Tokens)
    assert interface.tokenizer.content == (bert / "tokenizer.json").read_bytes()
    ticket.save(tmp_path / "ticket")  # over itself
    network = loaded.subnetwork()
    assert all(not network.body.get_parameter(name)[~mask].any() for name, mask in masks.items())


def test_identities_of_images_are_written_as_before(tmp_path: Path) -> None:
    source = load_source("cifar/resnet8", weights="random")
    save_source(source.network, source.identity, tmp_path)
    content = json.loads((tmp_path / FACTS).read_text())
    assert "configuration" not in content
    assert content["adaptation"] is None
    assert "tokenizer" not in SourceSettings(name="x").model_dump()
    assert "vocabulary_size" not in SourceSettings(name="x").model_dump()
    assert SourceIdentity.model_validate(content) == load_folder(tmp_path)[1]


def test_a_pretraining_model_is_one_of_words_and_the_rest_is_named(tmp_path: Path) -> None:
    configuration = transformers.BertConfig(**SIZES["bert"])
    torch.manual_seed(0)
    model = transformers.BertForPreTraining(configuration).eval()
    model.save_pretrained(tmp_path)
    tokenizer_of().save_pretrained(tmp_path)
    source = load_source(tmp_path)
    assert source.identity.adaptation == LanguageHead(head="masked")
    assert any("left out: cls.seq_relationship" in note for note in source.identity.notes)
    with torch.no_grad():
        inputs = inputs_of(source)
        assert torch.equal(source.network.eval()(inputs), model(**inputs).prediction_logits)
    # Its pooler is pretrained, and is what a model that labels texts begins with.
    pooler = "bert.pooler.dense.weight"
    labelling = rehead(source.network, "sequence")
    assert torch.equal(labelling.body.get_parameter(pooler), model.get_parameter(pooler))
    assert pooler in prunable_weights(load_source(labelling).network)


def test_a_discriminator_is_an_encoder_without_a_head(tmp_path: Path) -> None:
    model = transformers.ElectraForPreTraining(transformers.ElectraConfig(**SIZES["electra"]))
    model.save_pretrained(tmp_path)
    tokenizer_of("electra").save_pretrained(tmp_path)
    source = load_source(tmp_path)
    assert source.network.headless
    assert any("left out: discriminator_predictions" in note for note in source.identity.notes)


@pytest.mark.parametrize("kind", ["MultipleChoice", "NextSentencePrediction"])
def test_heads_for_other_tasks_are_left_out_by_name(kind: str, tmp_path: Path) -> None:
    getattr(transformers, f"BertFor{kind}")(transformers.BertConfig(**SIZES["bert"])).save_pretrained(tmp_path)
    tokenizer_of().save_pretrained(tmp_path)
    source = load_source(tmp_path)
    assert source.network.headless
    left = {"MultipleChoice": "classifier.bias, classifier.weight", "NextSentencePrediction": "cls.seq_relationship"}
    assert any(f"left out: {left[kind]}" in note for note in source.identity.notes)


@pytest.mark.parametrize("form", ["bin", "shards", "old names"])
def test_weights_in_every_form_that_transformers_wrote(form: str, tmp_path: Path) -> None:
    model = language_model("bert", "sequence")
    source = load_source(language_folder(tmp_path, "bert", "sequence"))
    file = tmp_path / "model.safetensors"
    state = load_file(file)
    file.unlink()
    if form == "bin":
        torch.save(state, tmp_path / "pytorch_model.bin")
    elif form == "shards":
        model.save_pretrained(tmp_path, max_shard_size="8KB")
        assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    else:
        ends = (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"))
        for new, old in ends:
            state = {name.replace(new, old): tensor for name, tensor in state.items()}
        assert any(name.endswith("gamma") for name in state)
        save_file(state, file)
    again = load_source(tmp_path)
    assert again.identity.digest == source.identity.digest


def test_an_architecture_without_its_head_in_the_file_has_none(tmp_path: Path) -> None:
    """As all-mpnet-base-v2, whose config.json says MPNetForMaskedLM and whose weights are an encoder's."""
    language_folder(tmp_path, "mpnet", "none")
    changed_json(tmp_path / "config.json", architectures=["MPNetForMaskedLM"])
    assert load_source(tmp_path).network.headless
    changed_json(tmp_path / "config.json", architectures=None)
    assert load_source(tmp_path).network.headless
    language_folder(tmp_path, "mpnet", "masked")
    changed_json(tmp_path / "config.json", architectures=None)
    assert load_source(tmp_path).identity.adaptation == LanguageHead(head="masked")


@torch.no_grad()
def test_a_model_from_python_is_used_as_it_is(bert: Path) -> None:
    model = language_model("bert", "sequence", num_labels=3)
    source = load_source((model, tokenizer_of()), preprocessing={"length": 24})
    assert source.identity.name == "hf/bert"
    assert tokens_of(source.network).length == 24
    inputs = inputs_of(source)
    assert torch.equal(source.network.eval()(inputs), model(**inputs).logits)
    assert dict(model.named_parameters()).keys() == dict(source.network.body.named_parameters()).keys()
    assert source.network.body.get_parameter(QUERY) is model.get_parameter(QUERY)
    for given in (bert, bert / "tokenizer.json", tokenizer_of()):
        stated = load_source(model, preprocessing={"tokenizer": given})
        assert stated.identity.digest == source.identity.digest
        assert tokens_of(stated.network).mask == 4
    with pytest.raises(UserError, match="BertForSequenceClassification: its tokenizer is unknown; give preprocessing="):
        load_source(model)
    with pytest.raises(UserError, match=r"tokenizer: a dict has no tokenizer\.json"):
        load_source(model, preprocessing={"tokenizer": {}})


def test_a_model_from_python_that_lacks_a_part_is_copied_not_changed() -> None:
    for head, headless in (("none", True), ("masked", False)):
        model = language_model("bert", head)
        before = copy.deepcopy(model.state_dict())
        source = load_source((model, tokenizer_of()))
        assert source.network.headless is headless
        assert any(note.startswith("weights: copied from the Bert") for note in source.identity.notes)
        source.network.body.get_parameter(QUERY).data.zero_()
        after = model.state_dict()
        assert same(dict(before), dict(after))


def test_a_tiny_bert_learns_its_vocabulary_from_a_text(tmp_path: Path) -> None:
    text = tmp_path / "corpus.txt"
    text.write_text("\n".join(f"the {colour} dog runs in the house ." for colour in ("red", "blue", "old") * 20))
    settings = SourceSettings(name="tiny/bert", weights="random", tokenizer=str(text), vocabulary_size=400)
    source = load_source(settings)
    tokens = tokens_of(source.network)
    assert source.identity.name == "tiny/bert"
    assert (tokens.length, tokens.pad, tokens.mask) == (128, 0, 4)
    assert tokens.vocabulary == tokens.tokenizer.size <= 400
    assert any(
        note.startswith("vocabulary: ") and "learned from the 60 lines" in note for note in source.identity.notes
    )
    assert load_source(settings).identity.digest == source.identity.digest
    assert load_source(source.settings).identity == source.identity
    assert load_source(settings.model_copy(update={"seed": 1})).identity.digest != source.identity.digest
    assert body_of(source.network).held.config.hidden_size == 128
    save_source(source.network, source.identity, tmp_path / "saved")
    text.unlink()
    assert load_source(tmp_path / "saved").identity.digest == source.identity.digest
    with pytest.raises(UserError, match="tokenizer: no such file"):
        load_source(settings)
    with pytest.raises(UserError, match=r"unknown network 'tiny/gpt'; there is tiny/bert"):
        load_source("tiny/gpt", weights="random")


def test_a_tiny_bert_has_the_vocabulary_of_the_built_in_texts() -> None:
    source = load_source("tiny/bert", weights="random")
    tokenizer = tokens_of(source.network).tokenizer
    assert "learned from 4000 built-in tales" in source.identity.notes[0]
    (encoding,) = tokenizer.encode(["the sailor lowers two anchors ."], 32)
    assert len(encoding.ids) == 8  # every word of the tales is one token
    assert load_source("tiny/bert", weights="random", tokenizer="tales").identity.digest == source.identity.digest
    with pytest.raises(UserError, match="hf/bert: has no vocabulary yet; give `tokenizer`"):
        load_source("hf/bert", weights="random")


def test_a_type_with_random_weights_or_with_those_of_a_folder(bert: Path) -> None:
    with pytest.raises(UserError, match="hf/bert: is a type of language model, without weights"):
        load_source("hf/bert")
    assert load_source("hf/bert", weights=str(bert)).identity.digest == load_source(bert).identity.digest
    random = load_source(bert, weights="random", num_classes=4)
    assert random.identity.weights == "random (seed 0)"
    assert random.network.num_classes == 4
    assert not torch.equal(
        random.network.body.get_parameter(QUERY), load_source(bert).network.body.get_parameter(QUERY)
    )


def cached_model(cache: Path, commit: str, head: str = "sequence") -> Path:
    """Write a model into a cache as the Hub's client lays one out."""
    home = cache / "models--owner--tiny"
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "refs" / "main").write_text(commit)
    return language_folder(home / "snapshots" / commit, "bert", head)


def test_a_model_of_the_hub_comes_from_the_cache_with_commit_and_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "home"))
    first, second = "a" * 40, "b" * 40
    folder = cached_model(tmp_path / "cache", first)
    settings = SourceSettings(name="hf/owner/tiny", cache=str(tmp_path / "cache"), offline=True)
    source = load_source(settings)
    assert source.identity.digest == load_source(folder).identity.digest
    assert source.identity.name == "hf/bert"
    assert source.identity.weights == f"owner/tiny@{first}/model.safetensors"
    (said,) = [note for note in source.identity.notes if note.startswith("file: sha256:")]
    assert said.endswith(f"of owner/tiny at {first}")
    assert source.settings.name == f"hf/owner/tiny@{first}"
    assert load_source(source.settings).identity == source.identity
    # What was loaded first is kept to; the new commit has to be asked for.
    cached_model(tmp_path / "cache", second, "token")
    assert load_source(settings).identity == source.identity
    newer = load_source(settings.model_copy(update={"name": f"hf/owner/tiny@{second}"}))
    assert newer.identity.adaptation == LanguageHead(head="token")
    # Weights that changed under the same commit are refused.
    altered(folder, lambda state: state[QUERY].add_(1))
    with pytest.raises(UserError, match="was recorded at its first download"):
        load_source(settings)
    with pytest.raises(UserError, match=r"config\.json is neither in .* nor reachable \(source\.offline is set\)"):
        load_source(settings.model_copy(update={"name": "hf/owner/other"}))
    with pytest.raises(UserError, match=r"hf/\.\./\.\./x: is no name of a model on the Hub"):
        hub_snapshots.snapshot("../../x", hub_snapshots.Downloads(tmp_path, True), weights=True)


def test_transformers_is_loaded_for_language_models_alone() -> None:
    code = (
        "import sys, robust_tickets as rt\n"
        "rt.load_source('cifar/resnet8', weights='random')\n"
        "print([name for name in ('transformers', 'tokenizers') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_model_of_sentence_transformers_says_so(bert: Path) -> None:
    (bert / "modules.json").write_text("[]")
    (bert / "sentence_bert_config.json").write_text('{"max_seq_length": 30}')
    source = load_source(bert)
    assert any(
        note.startswith("tuned for the similarity of sentences of up to 30 tokens") for note in source.identity.notes
    )
    assert tokens_of(source.network).length == 40
    assert rt.load_source(bert).identity.description[:2] == (
        "input: texts of up to 40 tokens, 32 in the vocabulary",
        "output: 3 classes, head classifier",
    )
