"""What the faces hold their callers to: keys and secrets, credits, a quota. All of it can be changed at run time."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from mock_api.settings import MockSettings


class AccountChange(BaseModel):
    """What `PUT /account` takes; what is left out stays, and `null` ends the counting of credits or quota."""

    model_config = ConfigDict(extra="forbid")

    key: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    credits: int | None = Field(None, ge=0)
    quota: int | None = Field(None, ge=0)
    token_expires_in_s: int | None = Field(None, ge=1)


class Account:
    """One customer of the mock. An empty `key` accepts any; `credits` and `quota` of None never end."""

    def __init__(self, settings: MockSettings) -> None:
        self.key = settings.key
        self.client_id = settings.client_id
        self.client_secret = settings.client_secret
        self.credits = settings.credits
        self.quota = settings.quota
        self.token_expires_in_s = settings.token_expires_in_s

    def change(self, change: AccountChange) -> None:
        """Take over what `change` names."""
        for name in change.model_fields_set:
            value = getattr(change, name)
            if value is not None or name in {"credits", "quota"}:
                setattr(self, name, value)

    def accepts(self, key: str) -> bool:
        """Return whether a caller with this key is served."""
        return key == self.key if self.key else bool(key)

    def spend_credit(self) -> None:
        """Take one credit, where they are counted."""
        if self.credits:
            self.credits -= 1

    def spend_quota(self) -> bool:
        """Take one call; False where none is left."""
        if self.quota is None:
            return True
        if not self.quota:
            return False
        self.quota -= 1
        return True

    def left(self) -> dict[str, int | None]:
        """Return what is left of credits and quota."""
        return {"credits": self.credits, "quota": self.quota}
